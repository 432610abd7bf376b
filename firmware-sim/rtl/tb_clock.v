// The clock of the test bench under iverilog.
`timescale 1ns / 1ns
module tb_clock;
    reg clk = 1'b0;
    always #5 clk = ~clk;
    tb_tgemv tb (.clk(clk));
endmodule
