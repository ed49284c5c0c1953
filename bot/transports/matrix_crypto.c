#include "transports/matrix_crypto.h"
