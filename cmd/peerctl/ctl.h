/*
 * ctl - what every command of peerctl works with
 *
 * A command builds a request message, sends it and shows the answer; struct
 * ctl carries the connection and how to show things. Messages belong to the
 * caller: protobuf_c_message_free_unpacked(m, NULL).
 */
#ifndef PEERD_CMD_PEERCTL_CTL_H
#define PEERD_CMD_PEERCTL_CTL_H

#include <stdbool.h>

#include <protobuf-c/protobuf-c.h>

struct args;
struct buf;
struct client;
struct err;
struct table;

enum exit_code {
	CTL_DONE = 0,
	CTL_REFUSED = 1,
	CTL_USAGE = 2
};

struct ctl {
	struct client *client;
	bool json; /* show answers as they came */
	bool tty;  /* a person is watching */
};

/* Call and read the answer; reply_desc NULL: it says nothing beyond success. */
bool ctl_get(struct ctl *ctl, const char *path, const ProtobufCMessageDescriptor *reply_desc,
    void *reply_r, struct err *err);
bool ctl_post(struct ctl *ctl, const char *path, const ProtobufCMessage *request,
    const ProtobufCMessageDescriptor *reply_desc, void *reply_r, struct err *err);

/* "error: ..." and "hint: ..." on stderr; with --json peerd's own words on stdout too. */
int ctl_refused(const struct ctl *ctl, const struct err *err);
/* The same for what the command line got wrong, with its usage. */
int ctl_usage(const struct args *a, const struct err *err);

/* The last answer on stdout, as it came. */
void ctl_print_answer(const struct ctl *ctl);

/* With --json the last answer, else the table, or `none` instead of it when not NULL. */
void ctl_show_table(const struct ctl *ctl, const struct table *t, const char *none);

/* A whole file, or stdin for "-"; the buffer is to be done whether it succeeds or not. */
bool ctl_read_file(const char *path, struct buf *out, struct err *err);

/* A message in its JSON form from such a file. */
bool ctl_read_message(const char *path, const ProtobufCMessageDescriptor *desc,
    ProtobufCMessage **msg_r, struct err *err);

/* The commands, by the file they live in. */
int run_status(struct ctl *ctl, const struct args *a);	   /* status.c */
int run_peers_list(struct ctl *ctl, const struct args *a); /* peers.c */
int run_peers_create(struct ctl *ctl, const struct args *a);
int run_peers_drop(struct ctl *ctl, const struct args *a);
int run_peers_validate(struct ctl *ctl, const struct args *a);
int run_mirrors_create(struct ctl *ctl, const struct args *a); /* mirrors_create.c */
int run_mirrors_list(struct ctl *ctl, const struct args *a);   /* mirrors.c */
int run_mirrors_status(struct ctl *ctl, const struct args *a);
int run_mirrors_pause(struct ctl *ctl, const struct args *a);
int run_mirrors_resume(struct ctl *ctl, const struct args *a);
int run_mirrors_resync(struct ctl *ctl, const struct args *a);
int run_mirrors_drop(struct ctl *ctl, const struct args *a);
int run_mirrors_logs(struct ctl *ctl, const struct args *a);
int run_complete(struct ctl *ctl, const struct args *a); /* complete.c */

#endif
