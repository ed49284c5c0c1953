/*
 * Which kind of document some bytes are, by what is in them and never by what they are called:
 * PDF, OpenDocument, Office Open XML without macros, plain text. Any bytes may come in. A document
 * is not changed: what its properties say (its author's name, too) stays in it.
 */
#ifndef BASE_DOCUMENT_H
#define BASE_DOCUMENT_H

#include <stddef.h>

struct document {
	const char *type, *ending; /* "application/pdf", "pdf"; NULL: none of them */
};

struct document document_of(const void *bytes, size_t length);

#endif
