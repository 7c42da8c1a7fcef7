/*
 * ban - functions that do not compile here
 *
 * Force-included before every source file of the tree. It pulls in the system
 * headers that declare the banned names and then poisons the names: each has a
 * bounded or checked counterpart in lib/base (buf.h, str.h, arena.h).
 */
#ifndef PEERD_BASE_BAN_H
#define PEERD_BASE_BAN_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <alloca.h>
#include <pthread.h>
#include <sys/types.h>
#include <netdb.h>

#pragma GCC poison sprintf vsprintf strcpy strcat strncpy strncat strtok atoi atol atoll atof
#undef alloca
#pragma GCC poison gets alloca tmpnam mktemp gmtime localtime ctime asctime

#endif
