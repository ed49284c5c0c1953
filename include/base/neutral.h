/* What somebody wrote, without what would tell who they are: numbers, handles, addresses and links
 * (text_reveals) give way to a neutral word. */
#ifndef BASE_NEUTRAL_H
#define BASE_NEUTRAL_H

struct arena;

/* In the arena. The result never text_reveals, unless `word` itself does. */
char *neutral_text(struct arena *arena, const char *text, const char *word);

#endif
