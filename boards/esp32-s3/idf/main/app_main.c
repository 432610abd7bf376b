/* ESP-IDF's main task becomes the device. An application with work of its own starts tritkit_run in a task instead, on a core of its own. */
#include "tritkit.h"

void app_main(void) { tritkit_run(); }
