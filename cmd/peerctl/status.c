#include "cmd/peerctl/args.h"
#include "cmd/peerctl/client.h"
#include "cmd/peerctl/ctl.h"
#include "cmd/peerctl/overview.h"
#include "cmd/peerctl/screen.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/base/str.h"

#define FRAME_MAX (16 * MIB)

static bool
status_text(struct ctl *ctl, struct buf *out, struct err *err)
{
	PeerdbRoute__MirrorOverviewResponse *all = NULL;

	if (!overview_fetch(ctl, &all, err))
		return false;
	if (ctl->json)
		buf_printf(out, "%s\n", client_body(ctl->client));
	else
		overview_print(all, out);
	overview_free(&all);
	return true;
}

/* A daemon that restarts is no reason to stop watching it. */
static int
watch(struct ctl *ctl, uint64_t seconds)
{
	struct screen screen = { 0 };
	struct buf frame;

	buf_init(&frame, FRAME_MAX);
	for (;;) {
		struct err err = ERR_INIT;

		buf_reset(&frame);
		if (!status_text(ctl, &frame, &err) && err.code != ERR_TRANSIENT) {
			buf_done(&frame);
			return ctl_refused(ctl, &err);
		}
		if (err.code != ERR_NONE)
			buf_printf(&frame, "error: %s, trying again\n", err.msg);
		if (ctl->tty && !ctl->json)
			screen_draw(&screen, buf_str(&frame));
		else
			printf("%s\n", buf_str(&frame));
		fflush(stdout);
		screen_pause_ms((long)seconds * 1000);
	}
}

int
run_status(struct ctl *ctl, const struct args *a)
{
	const char *interval = args_value(a, "interval");
	struct err err = ERR_INIT;
	uint64_t seconds = 1;
	struct buf out;
	bool ok;

	if (interval != NULL && !str_to_u64(interval, 1, 3600, &seconds, &err))
		return ctl_usage(a, &err);
	if (args_has(a, "watch"))
		return watch(ctl, seconds);
	buf_init(&out, FRAME_MAX);
	ok = status_text(ctl, &out, &err);
	fputs(buf_str(&out), stdout);
	buf_done(&out);
	return ok ? CTL_DONE : ctl_refused(ctl, &err);
}
