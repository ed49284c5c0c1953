/*
 * What people look for and how it was written are rarely spelled alike. Both go through text_fold
 * first; then each word also stands without the letters that Arabic and Hebrew write in front of it
 * ("and", "the", "in", "for": والحوار is found as حوار, בחינוך as חינוך). The light stemming of
 * prefixes: Larkey, Ballesteros and Connell, SIGIR 2002, "light10". Nothing is cut that would leave
 * less than three letters. Pure.
 */
#ifndef BASE_SEARCH_H
#define BASE_SEARCH_H

struct arena;

/* The words of a text, folded, each followed by itself without its prefixes; for an index that
 * splits at spaces. */
char *search_index(struct arena *arena, const char *text);
/* An FTS5 expression: every word of the query must begin a word of the text, as it stands or
 * without its prefixes. "" when there is no word in it. What stands in the query is never taken for
 * an operator. */
char *search_query(struct arena *arena, const char *query);

#endif
