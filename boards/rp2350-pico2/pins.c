/* Pins, PWM and ADC of the Pico 2: boards/common/pins_rp2.h with the RP2350's addresses. Built, never run: no emulator in reach has this chip. */
#include "rp2350.h"

#include "pins_rp2.h"
