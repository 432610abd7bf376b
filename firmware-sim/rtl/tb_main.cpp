// The clock of the test bench under verilator.
#include "Vtb_tgemv.h"
#include "verilated.h"
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif

int main(int argc, char** argv) {
    VerilatedContext context;
    context.commandArgs(argc, argv);
#if VM_TRACE
    context.traceEverOn(true);
#endif
    Vtb_tgemv bench(&context);
    bench.clk = 0;
    while (!context.gotFinish()) {
        bench.eval();
        context.timeInc(5);
        bench.clk = !bench.clk;
    }
    bench.final();
    return 0;
}
