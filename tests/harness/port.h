/*
 * port - TCP ports for servers of the tests
 *
 * Below 32768, where the kernel hands none out by itself. A port stays taken
 * for as long as the process that asked lives (a bound UDP socket of the same
 * number says so to test programs running beside), free for TCP meanwhile.
 */
#ifndef PEERD_HARNESS_PORT_H
#define PEERD_HARNESS_PORT_H

int port_take(void);

#endif
