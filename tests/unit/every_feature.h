/* `features`: every feature there is. A test with one of its own says before it
 * `#define MORE_FEATURES &feature_probe`. Included by one test program each. */
#ifndef EVERY_FEATURE_H
#define EVERY_FEATURE_H

#include "core/feature.h"

#define FEATURE(name) extern const struct feature feature_##name;
#include "feature_list.h"
#undef FEATURE
#define FEATURE(name) &feature_##name,
static const struct feature *const features[] = {
#include "feature_list.h"
#ifdef MORE_FEATURES
    MORE_FEATURES,
#endif
    NULL,
};
#undef FEATURE

#endif
