/*
 * probe - `peerd-worker probe`: answer one question about a database, exit
 *
 * Says HELLO on fd 3, reads one ProbeRequest, carries out the FlowService call
 * it names against the peers it brings, sends one ProbeReply and is done. The
 * methods are a table in probe.c; each fills the call's own response message.
 *
 * A probe waits as long as the servers make it: the daemon keeps the time and
 * ends it by closing the channel, which cancels the statement under way.
 *
 * Errors travel in the reply. Nothing is logged, nothing is changed anywhere.
 */
#ifndef PEERD_WORKERS_PROBE_H
#define PEERD_WORKERS_PROBE_H

/* Returns the exit code: 0 once a reply was sent. */
int probe_main(void);

#endif
