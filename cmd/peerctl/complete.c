/*
 * complete - candidates for the shell's completion
 *
 * Given the words before the one under the cursor, print what may stand
 * there. Silence is the answer to everything that does not fit.
 */
#include "cmd/peerctl/args.h"
#include "cmd/peerctl/ctl.h"
#include "lib/base/err.h"
#include "protos/route.pb-c.h"

static void
print_options(const struct option *table)
{
	for (const struct option *o = table; o != NULL && o->name != NULL; o++)
		printf("--%s\n", o->name);
}

/* The commands of a group, or the first words of all. */
static void
print_commands(const char *group)
{
	const char *last = "";

	for (size_t i = 0; i < commands_count; i++) {
		const char *name = group == NULL && commands[i].group != NULL ? commands[i].group
									      : commands[i].name;

		if (commands[i].summary == NULL || strcmp(name, last) == 0 ||
		    (group != NULL &&
			(commands[i].group == NULL || strcmp(commands[i].group, group) != 0)))
			continue;
		puts(name);
		last = name;
	}
}

static void
print_peers(struct ctl *ctl)
{
	PeerdbRoute__ListPeersResponse *all = NULL;
	struct err ignored;

	if (!ctl_get(ctl, "/peers/list", &peerdb_route__list_peers_response__descriptor, &all,
		&ignored))
		return;
	for (size_t i = 0; i < all->n_items; i++)
		puts(all->items[i]->name);
	protobuf_c_message_free_unpacked(&all->base, NULL);
}

static void
print_mirrors(struct ctl *ctl)
{
	PeerdbRoute__ListMirrorsResponse *all = NULL;
	struct err ignored;

	if (!ctl_get(ctl, "/mirrors/list", &peerdb_route__list_mirrors_response__descriptor, &all,
		&ignored))
		return;
	for (size_t i = 0; i < all->n_mirrors; i++)
		puts(all->mirrors[i]->name);
	protobuf_c_message_free_unpacked(&all->base, NULL);
}

static void
print_arguments(struct ctl *ctl, const struct args *line)
{
	if (line->n_words > 0)
		return;
	if (line->command->subject == SUBJECT_PEER)
		print_peers(ctl);
	else if (line->command->subject == SUBJECT_MIRROR)
		print_mirrors(ctl);
}

/* An option that still waits for its value: --from and --to want a peer. */
static bool
complete_value(struct ctl *ctl, const char *last)
{
	if (strcmp(last, "--from") != 0 && strcmp(last, "--to") != 0)
		return false;
	print_peers(ctl);
	return true;
}

int
run_complete(struct ctl *ctl, const struct args *a)
{
	struct err ignored;
	struct args line;

	if (a->n_words > 0 && complete_value(ctl, a->words[a->n_words - 1]))
		return CTL_DONE;
	if (args_parse(&line, a->n_words, (char **)(uintptr_t)a->words, &ignored)) {
		print_options(global_options);
		if (line.command == NULL) {
			print_commands(line.group);
		} else {
			print_options(line.command->options);
			print_arguments(ctl, &line);
		}
	}
	args_done(&line);
	return CTL_DONE;
}
