#include "cmd/peerctl/args.h"

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

static bool
same(const char *a, const char *b)
{
	return (a == NULL && b == NULL) || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

const struct command *
command_find(const char *group, const char *name)
{
	for (size_t i = 0; i < commands_count; i++)
		if (same(commands[i].group, group) && same(commands[i].name, name))
			return &commands[i];
	return NULL;
}

bool
command_is_group(const char *name)
{
	for (size_t i = 0; i < commands_count; i++)
		if (commands[i].group != NULL && same(commands[i].group, name))
			return true;
	return false;
}

/* ---- options ----------------------------------------------------------- */

static const struct option *
find_in(const struct option *table, const char *name, size_t n, char letter)
{
	for (const struct option *o = table; o != NULL && o->name != NULL; o++) {
		if (letter != '\0' && o->letter == letter)
			return o;
		if (letter == '\0' && strlen(o->name) == n && strncmp(o->name, name, n) == 0)
			return o;
	}
	return NULL;
}

static const struct option *
find_option(const struct args *a, const char *name, size_t n, char letter)
{
	const struct option *own = a->command != NULL ? a->command->options : NULL;
	const struct option *o = find_in(own, name, n, letter);

	return o != NULL ? o : find_in(global_options, name, n, letter);
}

static void
nearest_in(const struct option *table, const char *name, unsigned *best, const char **near_r)
{
	for (const struct option *o = table; o != NULL && o->name != NULL; o++) {
		unsigned d = str_distance(o->name, name);

		if (d < *best) {
			*best = d;
			*near_r = o->name;
		}
	}
}

static bool
unknown_option(const struct args *a, const char *word, struct err *err)
{
	const char *near = NULL;
	unsigned best = (unsigned)(strlen(word) / 3 + 1);

	err_set(err, ERR_INVALID, "unknown option \"%s\"", word);
	if (word[1] == '-') {
		nearest_in(global_options, word + 2, &best, &near);
		if (a->command != NULL)
			nearest_in(a->command->options, word + 2, &best, &near);
	}
	return near != NULL ? err_hint(err, "did you mean --%s?", near) : false;
}

static void
add_given(struct args *a, const struct option *o, const char *value)
{
	a->given = xrealloc(a->given, ((size_t)a->n_given + 1) * sizeof(*a->given));
	a->given[a->n_given++] = (struct given){ .option = o, .value = value };
}

static bool
is_boolean_field(const struct option *o)
{
	return o->arg == NULL && o->field != NULL;
}

/* word is "--name", "--name=value" or "-x"; *i moves on when the value is the next word */
static bool
take_option(struct args *a, int argc, char **argv, int *i, struct err *err)
{
	const char *word = argv[*i], *equals = strchr(word, '=');
	bool is_long = word[1] == '-';
	size_t n = equals != NULL ? (size_t)(equals - word) - 2 : strlen(word + 1) - 1;
	const struct option *o;

	if (!is_long && word[2] != '\0')
		return unknown_option(a, word, err);
	o = find_option(a, word + 2, is_long ? n : 0, is_long ? '\0' : word[1]);
	if (o == NULL)
		return unknown_option(a, word, err);
	if (o->arg == NULL && (!is_long || equals == NULL)) {
		add_given(a, o, "true");
	} else if (o->arg == NULL && !is_boolean_field(o)) {
		return err_set(err, ERR_INVALID, "option --%s takes no value", o->name);
	} else if (is_long && equals != NULL) {
		add_given(a, o, equals + 1);
	} else if (*i + 1 < argc) {
		add_given(a, o, argv[++*i]);
	} else {
		return err_set(err, ERR_INVALID, "option --%s wants a value", o->name);
	}
	return true;
}

/* ---- words -------------------------------------------------------------- */

static bool
unknown_command(const char *group, const char *word, struct err *err)
{
	unsigned best = (unsigned)(strlen(word) / 3 + 1), d;
	const char *near = NULL;

	for (size_t i = 0; i < commands_count; i++) {
		const char *name = group == NULL && commands[i].group != NULL ? commands[i].group
									      : commands[i].name;

		if (group != NULL && !same(commands[i].group, group))
			continue;
		d = str_distance(name, word);
		if (d < best) {
			best = d;
			near = name;
		}
	}
	err_set(err, ERR_INVALID, "unknown command \"%s%s%s\"", group != NULL ? group : "",
	    group != NULL ? " " : "", word);
	if (near != NULL)
		return err_hint(err, "did you mean \"%s\"?", near);
	return err_hint(err, "peerctl --help lists the commands");
}

static bool
take_word(struct args *a, const char *word, struct err *err)
{
	if (a->command != NULL) {
		a->words = xrealloc(a->words, ((size_t)a->n_words + 1) * sizeof(*a->words));
		a->words[a->n_words++] = word;
		return true;
	}
	if (a->group == NULL && command_is_group(word)) {
		a->group = word;
		return true;
	}
	a->command = command_find(a->group, word);
	return a->command != NULL ? true : unknown_command(a->group, word, err);
}

bool
args_parse(struct args *a, int argc, char **argv, struct err *err)
{
	bool options = true;

	*a = (struct args){ 0 };
	for (int i = 1; i < argc; i++) {
		bool dash = options && argv[i][0] == '-' && argv[i][1] != '\0';

		if (dash && strcmp(argv[i], "--") == 0)
			options = false;
		else if (!(dash ? take_option(a, argc, argv, &i, err) : take_word(a, argv[i], err)))
			return false;
	}
	return true;
}

void
args_done(struct args *a)
{
	free(a->words);
	free(a->given);
	*a = (struct args){ 0 };
}

const char *
args_value(const struct args *a, const char *name)
{
	const char *value = NULL;

	for (int i = 0; i < a->n_given; i++)
		if (strcmp(a->given[i].option->name, name) == 0)
			value = a->given[i].value;
	return value;
}

bool
args_has(const struct args *a, const char *name)
{
	return args_value(a, name) != NULL;
}

bool
args_check_words(const struct args *a, struct err *err)
{
	const struct command *c = a->command;

	if (a->n_words < c->min)
		return err_set(err, ERR_INVALID, "something is missing after \"%s\": %s", c->name,
		    c->args);
	if (c->max >= 0 && a->n_words > c->max)
		return err_set(err, ERR_INVALID, "unexpected \"%s\"", a->words[c->max]);
	return true;
}
