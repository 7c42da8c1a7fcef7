#include "cmd/peerctl/help.h"

#include <stdbool.h>

#include "cmd/peerctl/args.h"

#define WIDTH	       79
#define OPTION_COLUMN  28
#define COMMAND_COLUMN 18

/* Words of text between two margins; the cursor stands at column `at`. */
static void
wrap(FILE *out, const char *text, size_t at, size_t margin)
{
	bool first = true;
	size_t n;

	for (; *text != '\0'; text += n) {
		if (*text == '\n') { /* a new paragraph */
			fprintf(out, "\n\n%*s", (int)margin, "");
			at = margin;
			first = true;
		}
		text += strspn(text, " \n");
		n = strcspn(text, " \n");
		if (!first && at + 1 + n > WIDTH) {
			fprintf(out, "\n%*s", (int)margin, "");
			at = margin;
			first = true;
		}
		at += n + !first;
		fprintf(out, "%s%.*s", first ? "" : " ", (int)n, text);
		first = false;
	}
	fputc('\n', out);
}

static void
print_option(FILE *out, const struct option *o)
{
	int n = fprintf(out, o->letter != '\0' ? "  -%c, " : "      ", o->letter);

	n += fprintf(out, "--%s", o->name);
	if (o->arg != NULL)
		n += fprintf(out, " %s", o->arg);
	if (n + 2 > OPTION_COLUMN)
		fprintf(out, "\n%*s", OPTION_COLUMN, "");
	else
		fprintf(out, "%*s", OPTION_COLUMN - n, "");
	wrap(out, o->help, OPTION_COLUMN, OPTION_COLUMN);
}

static void
print_options(FILE *out, const char *title, const struct option *table)
{
	if (table == NULL || table->name == NULL)
		return;
	fprintf(out, "\n%s:\n", title);
	for (const struct option *o = table; o->name != NULL; o++)
		print_option(out, o);
}

static void
print_command(FILE *out, const struct command *c)
{
	int n = fprintf(out, "  %s%s%s", c->group != NULL ? c->group : "",
	    c->group != NULL ? " " : "", c->name);

	fprintf(out, "%*s", n < COMMAND_COLUMN ? COMMAND_COLUMN - n : 1, "");
	wrap(out, c->summary, COMMAND_COLUMN, COMMAND_COLUMN);
}

void
help_usage(FILE *out, const struct command *c)
{
	fprintf(out, "usage: peerctl %s%s%s%s%s%s\n", c->group != NULL ? c->group : "",
	    c->group != NULL ? " " : "", c->name, c->options != NULL ? " [OPTION]..." : "",
	    c->args[0] != '\0' ? " " : "", c->args);
}

void
help_command(FILE *out, const struct command *c)
{
	help_usage(out, c);
	fputc('\n', out);
	wrap(out, c->summary != NULL ? c->summary : "", 0, 0);
	if (c->details != NULL) {
		fputc('\n', out);
		wrap(out, c->details, 0, 0);
	}
	print_options(out, "Options", c->options);
	print_options(out, "Options of every command", global_options);
}

void
help_group(FILE *out, const char *group)
{
	fprintf(out, "usage: peerctl %s COMMAND ...\n\nCommands:\n", group);
	for (size_t i = 0; i < commands_count; i++)
		if (commands[i].group != NULL && strcmp(commands[i].group, group) == 0)
			print_command(out, &commands[i]);
	fprintf(out, "\n\"peerctl %s COMMAND --help\" tells more.\n", group);
}

void
help_program(FILE *out)
{
	fprintf(out,
	    "usage: peerctl [OPTION]... COMMAND ...\n\n"
	    "Look after peers and mirrors of a peerd, over its socket or its REST API.\n\n"
	    "Commands:\n");
	for (size_t i = 0; i < commands_count; i++)
		if (commands[i].summary != NULL)
			print_command(out, &commands[i]);
	print_options(out, "Options", global_options);
	fprintf(out,
	    "\n\"peerctl COMMAND --help\" tells more. Exit codes: 0 done, "
	    "1 refused or failed, 2 usage.\n");
}
