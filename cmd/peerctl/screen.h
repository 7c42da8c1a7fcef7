/*
 * screen - a block of text that is drawn again in place
 *
 * On a terminal the new block replaces the old one, clipped to the window. No
 * library: moving up and clearing is all it takes.
 */
#ifndef PEERD_CMD_PEERCTL_SCREEN_H
#define PEERD_CMD_PEERCTL_SCREEN_H

struct screen {
	int lines; /* of the block that is on the screen */
};

void screen_draw(struct screen *s, const char *text);

/* Wait between two drawings. */
void screen_pause_ms(long ms);

#endif
