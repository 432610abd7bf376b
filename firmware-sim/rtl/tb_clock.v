// The clock of the test bench under iverilog.
`timescale 1ns / 1ns
module tb_clock #(
    parameter SLOTS      = 4,
    parameter SLOT_BITS  = 2,
    parameter FIFO       = 8,
    parameter FIFO_BITS  = 3,
    parameter ENTRIES    = 2048,
    parameter ENTRY_BITS = 11
);
    reg clk = 1'b0;
    always #5 clk = ~clk;
    tb_tgemv #(
        .SLOTS(SLOTS), .SLOT_BITS(SLOT_BITS), .FIFO(FIFO), .FIFO_BITS(FIFO_BITS), .ENTRIES(ENTRIES), .ENTRY_BITS(ENTRY_BITS)
    ) tb (
        .clk(clk)
    );
endmodule
