/*
 * options - what peerd is told at its start
 *
 * One table of names serves the command line (--state-dir DIR), the
 * configuration file (state-dir = DIR) and what -n prints, which is such a
 * file again. Later wins: defaults, file, environment (the two secrets),
 * command line.
 *
 * Errors: INVALID naming the option, file and line; a usage error (exit 2).
 */
#ifndef PEERD_CMD_PEERD_OPTIONS_H
#define PEERD_CMD_PEERD_OPTIONS_H

#include <stdbool.h>

struct err;

struct options {
	char *state_dir;
	char *http_listen;
	char *sql_listen;
	char *password_file;
	char *worker_path;
	char *tls_certificate;
	char *tls_key;
	char *open_metrics; /* "yes" or "no" */
	char *config;	    /* the file read */
	char *password;	    /* NULL: none; a secret */
	char *catalog_key;  /* NULL: kept in the state directory; a secret */
	bool check_only;
	bool version;
	bool help;
};

bool options_read(int argc, char **argv, struct options *o_r, struct err *err);
void options_free(struct options *o);

/* As a configuration file, without secrets. */
void options_print(const struct options *o);
void options_help(void);

/* HTTP without a password is for this machine alone, and so on. */
bool options_check(const struct options *o, struct err *err);

#endif
