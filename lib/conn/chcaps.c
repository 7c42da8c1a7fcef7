#include "lib/conn/chcaps.h"

#include <ctype.h>

#include "lib/base/err.h"
#include "lib/base/str.h"

static bool
is_since(const struct ch_caps *caps, unsigned year, unsigned release)
{
	return caps->year > year || (caps->year == year && caps->release >= release);
}

/* "26.7.2.1", or anything after the release: "24.8-lts" */
static bool
read_version(const char *version, struct ch_caps *caps)
{
	unsigned long release;
	char *end;

	if (!isdigit((unsigned char)version[0]))
		return false;
	caps->year = (unsigned)strtoul(version, &end, 10);
	if (*end != '.' || !isdigit((unsigned char)end[1]))
		return false;
	release = strtoul(end + 1, &end, 10);
	caps->release = (unsigned)release;
	return str_copy(caps->version, sizeof(caps->version), version);
}

bool
ch_caps_of(const char *version, struct ch_caps *caps_r, struct err *err)
{
	struct ch_caps caps = { .year = 0 };

	if (!read_version(version, &caps))
		return err_set(err, ERR_PROTOCOL, "\"%.40s\" is not the version of a ClickHouse",
		    version);
	if (!is_since(&caps, CH_VERSION_MIN_YEAR, CH_VERSION_MIN_RELEASE)) {
		err_set(err, ERR_CONFIG, "ClickHouse %s is too old", version);
		return err_hint(err, "peerd works with ClickHouse %d.%d and newer",
		    CH_VERSION_MIN_YEAR, CH_VERSION_MIN_RELEASE);
	}
#define X(flag, since_year, since_release) caps.flag = is_since(&caps, since_year, since_release);
	CH_CAPS(X)
#undef X
	*caps_r = caps;
	return true;
}
