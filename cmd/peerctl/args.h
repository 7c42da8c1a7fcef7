/*
 * args - peerctl's command line by tables
 *
 * commands.c holds every command with its options; parsing, --help, the
 * completion and the man page's test all read those tables and nothing else.
 *
 * Global options may stand anywhere, a command's own after its name. Long
 * options take "--name value" and "--name=value", letters "-x value"; "--"
 * ends the options. Strings are borrowed from argv.
 *
 * Errors: ERR_INVALID, to be shown with exit code 2.
 */
#ifndef PEERD_CMD_PEERCTL_ARGS_H
#define PEERD_CMD_PEERCTL_ARGS_H

#include <stdbool.h>
#include <stddef.h>

struct args;
struct ctl;
struct err;

struct option {
	const char *name; /* without the dashes; NULL ends a table */
	char letter;	  /* '\0': none */
	const char *arg;  /* what the value is called; NULL: a flag */
	const char *help;
	const char *field; /* of the request, which the value is; NULL: none */
};

/* What the first argument names, for the completion. */
enum subject {
	SUBJECT_NONE,
	SUBJECT_PEER,
	SUBJECT_MIRROR
};

struct command {
	const char *group; /* "peers"; NULL: the command stands alone */
	const char *name;
	const char *args; /* in the usage line */
	const char *summary;
	const char *details; /* paragraphs under the usage line; NULL: none */
	const struct option *options;
	int min, max; /* how many arguments; max -1: any number */
	enum subject subject;
	int (*run)(struct ctl *ctl, const struct args *a);
};

extern const struct command commands[];
extern const size_t commands_count;
extern const struct option global_options[];

struct given {
	const struct option *option;
	const char *value; /* "true" for a flag */
};

struct args {
	const struct command *command; /* NULL: none yet */
	const char *group;	       /* "peers" without a command; else NULL */
	const char **words;	       /* arguments that are no options */
	int n_words;
	struct given *given;
	int n_given;
};

/* Fills a, which is to be args_done() whether it succeeds or not. */
bool args_parse(struct args *a, int argc, char **argv, struct err *err);
void args_done(struct args *a);

/* The last value given for an option; NULL when there is none. */
const char *args_value(const struct args *a, const char *name);
bool args_has(const struct args *a, const char *name);

/* How many words the command wants, checked. */
bool args_check_words(const struct args *a, struct err *err);

const struct command *command_find(const char *group, const char *name);
bool command_is_group(const char *name);

#endif
