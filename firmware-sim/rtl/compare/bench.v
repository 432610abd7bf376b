// Runs a reference lane on the vectors of vectors.hex, one a line, {acc, w, x} in hexadecimal, and prints y of each. LANE is its name, the
// parameters are the widths of its ports; netlists have gates of a unit each, and longest paths of some hundred; scripts/rtl/gates/verify.ts compares.
`default_nettype none
`timescale 1ns / 1ns
module bench;
  parameter XW = 160;
  parameter WW = 40;
  parameter AW = 32;
  parameter COUNT = 1;
  reg [AW+WW+XW-1:0] vectors[0:COUNT-1];
  reg [AW+WW+XW-1:0] v;
  wire [AW-1:0] y;
  integer i;
  `LANE lane (v[XW-1:0], v[XW+:WW], v[XW+WW+:AW], y);
  initial begin
    $readmemh("vectors.hex", vectors);
    for (i = 0; i < COUNT; i = i + 1) begin
      v = vectors[i];
      #4000 $display("%h", y);
    end
    $finish;
  end
endmodule
