/*
 * help - what --help says, from the tables of args.h
 */
#ifndef PEERD_CMD_PEERCTL_HELP_H
#define PEERD_CMD_PEERCTL_HELP_H

#include <stdio.h>

struct command;

void help_program(FILE *out);
void help_group(FILE *out, const char *group);
void help_command(FILE *out, const struct command *c);
void help_usage(FILE *out, const struct command *c); /* the usage line alone */

#endif
