/* Pins, PWM and ADC of the Pico: boards/common/pins_rp2.h with the RP2040's addresses. */
#include "rp2040.h"

#include "pins_rp2.h"
