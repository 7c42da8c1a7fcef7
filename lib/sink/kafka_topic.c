#include "lib/sink/kafka_topic.h"

#include <ctype.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/types/table.h"

#define NAME_MAX_BYTES 4096 /* of a name under way; what is too long is said afterwards */

/* The value of the placeholder that *at begins with, which moves past it; NULL: it is none. */
static const char *
placeholder(const char **at, const char *mirror, const struct table *t)
{
	const struct {
		const char *word;
		const char *value;
	} known[] = {
		{ "{mirror}", mirror },
		{ "{schema}", t != NULL ? t->destination_schema : NULL },
		{ "{table}", t != NULL ? t->destination_name : NULL },
	};
	size_t i, n;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		n = strlen(known[i].word);
		if (strncmp(*at, known[i].word, n) == 0 && known[i].value != NULL) {
			*at += n;
			return known[i].value;
		}
	}
	return NULL;
}

static bool
expand(const char *template, const char *mirror, const struct table *t, struct buf *to,
    struct err *err)
{
	const char *at = template, *value;

	while (*at != '\0') {
		if (*at != '{') {
			buf_char(to, *at++);
			continue;
		}
		value = placeholder(&at, mirror, t);
		if (value == NULL)
			return err_set(err, ERR_INVALID,
			    "topic template \"%.300s\" has an unknown placeholder, expected %s",
			    template, t != NULL ? "{mirror}, {schema} or {table}" : "{mirror}");
		buf_str_add(to, value);
	}
	return true;
}

static bool
check(const char *topic, size_t n, const struct table *t, struct err *err)
{
	const char *what = NULL;
	size_t i;

	for (i = 0; i < n; i++)
		if (!isalnum((unsigned char)topic[i]) && strchr("._-", topic[i]) == NULL)
			what = "has characters other than letters, digits, dots, underscores and "
			       "hyphens";
	if (n == 0 || strcmp(topic, ".") == 0 || strcmp(topic, "..") == 0)
		what = "is no name";
	if (n > KAFKA_TOPIC_MAX)
		what = "has more than 249 characters";
	if (what == NULL)
		return true;
	err_set(err, ERR_CONFIG, "Kafka takes no topic called \"%.300s\": it %s", topic, what);
	if (t != NULL)
		return err_hint(err,
		    "map %s to another destination table, or set PEERD_KAFKA_TOPIC",
		    t->source_label);
	return false;
}

bool
kafka_topic_of(const char *template, const char *mirror, const struct table *t,
    char topic_r[KAFKA_TOPIC_MAX + 1], struct err *err)
{
	struct buf topic;
	bool ok;

	if (template[0] == '\0' && t != NULL)
		template = t->destination_schema[0] != '\0' ? "{schema}.{table}" : "{table}";
	buf_init(&topic, NAME_MAX_BYTES);
	ok = expand(template, mirror, t, &topic, err) && check(buf_str(&topic), topic.n, t, err);
	if (ok)
		memcpy(topic_r, buf_str(&topic), topic.n + 1);
	buf_done(&topic);
	return ok;
}
