#include "cmd/peerctl/screen.h"

#include <stdbool.h>
#include <sys/ioctl.h>
#include <unistd.h>

static void
window_size(int *rows_r, int *columns_r)
{
	struct winsize w;
	bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0;

	*rows_r = known && w.ws_row > 0 ? w.ws_row : 24;
	*columns_r = known && w.ws_col > 0 ? w.ws_col : 80;
}

/* At most `columns` characters of the line; where the line ends. */
static const char *
put_line(const char *line, int columns)
{
	int width = 0;

	for (; *line != '\0' && *line != '\n'; line++) {
		width += ((unsigned char)*line & 0xc0) != 0x80;
		if (width < columns)
			putchar(*line);
	}
	return line;
}

void
screen_draw(struct screen *s, const char *text)
{
	int rows, columns, n = 0;

	window_size(&rows, &columns);
	if (s->lines > 0)
		printf("\033[%dA", s->lines);
	while (*text != '\0' && n < rows - 1) {
		text = put_line(text, columns);
		fputs("\033[K\n", stdout);
		text += *text == '\n';
		n++;
	}
	fputs("\033[J", stdout);
	fflush(stdout);
	s->lines = n;
}

void
screen_pause_ms(long ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}
