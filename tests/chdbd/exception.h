/*
 * exception - ClickHouse's exceptions: their text, code and HTTP status
 *
 * An exception travels as the text that ClickHouse shows,
 *
 *	Code: 60. DB::Exception: Table a.b does not exist. (UNKNOWN_TABLE)
 *
 * and its code is read back from there. The status of a code is the one that
 * ClickHouse's HTTP interface gives it.
 */
#ifndef PEERD_CHDBD_EXCEPTION_H
#define PEERD_CHDBD_EXCEPTION_H

struct buf;

/* X(name, code): those that this server raises by itself */
#define EXCEPTIONS(X)                 \
	X(BAD_ARGUMENTS, 36)          \
	X(NOT_IMPLEMENTED, 48)        \
	X(SYNTAX_ERROR, 62)           \
	X(INCORRECT_DATA, 117)        \
	X(CANNOT_DECOMPRESS, 271)     \
	X(AUTHENTICATION_FAILED, 516) \
	X(UNSUPPORTED_MEDIA_TYPE, 779)

enum exception {
#define X(name, code) EXCEPTION_##name = code,
	EXCEPTIONS(X)
#undef X
};

void exception_write(struct buf *words, enum exception e, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int exception_code(const char *words); /* 0 when there is none */
int exception_status(int code);	       /* of HTTP */

#endif
