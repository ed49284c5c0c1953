/* alumhub-bot version: the program, its schema, and the libraries it runs with. */
#include <stdio.h>

#include <expat.h>
#include <libical/ical.h>
#include <olm/olm.h>
#include <sodium.h>
#include <unicode/uversion.h>

#include "app.h"
#include "base/memory.h"
#include "io/http.h"
#include "io/loop.h"
#include "store/db.h"

static int
schema_version(void)
{
	int version = 0;

	for (const struct schema *const *s = engine_schemas(features); *s; s++)
		for (const char *const *step = (*s)->steps; *step; step++)
			version++;
	return version;
}

int
version_main(void)
{
	char icu[U_MAX_VERSION_STRING_LENGTH];
	uint8_t major, minor, patch;
	UVersionInfo parts;

	u_getVersion(parts);
	u_versionToString(parts, icu);
	olm_get_library_version(&major, &minor, &patch);
	printf("alumhub-bot 1.0\nschema %d\n", schema_version());
	printf("SQLite %s\nlibuv %s\n%s\njansson %s\n", db_library(), loop_library(),
	    http_library(), memory_json_library());
	printf("ICU %s\n%s\nlibical %s\nlibsodium %s\nlibolm %d.%d.%d\n", icu, XML_ExpatVersion(),
	    ICAL_VERSION, sodium_version_string(), major, minor, patch);
	return EXIT_DONE;
}
