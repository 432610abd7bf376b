// Reference lanes for the gate counts: ternary weights, 20 of them a cycle, int8 activations, int32 accumulators.
//
//   lane_ternary2      1 row x 20 trits, two bits a trit {negative, not zero}: 40 bits of weights
//   lane_packed_rows   1 row x 20 trits, five trits a byte (spec/PACKING.md): 32 bits
//   lane_packed_block  4 rows x 5 trits, five trits a byte: 32 bits, the beat of our packing, four sums and accumulators
//
// A trit's product is x, ~x with a carry-in, or 0. Signs are extended by a constant, as in integer.v.
`default_nettype none

// byte = 28*hi + lo to five trits, each {negative, not zero}, the first trit lowest. Since 28 = 4*7 and lo = 4*r + (byte & 3) with r < 7, hi and r
// are quotient and remainder of byte >> 2 by 7, and with byte >> 2 = 8*u + v = 7*u + (u + v) that takes one 3-bit adder:
// s = u + v, hi = u + (s >= 7), r = s - 7*(s >= 7).
module packed_byte (
    input wire [7:0] code,
    output wire [9:0] trits
);
  wire [3:0] s = {1'b0, code[7:5]} + {1'b0, code[4:2]};
  wire over = s >= 4'd7;
  wire [3:0] hi = {1'b0, code[7:5]} + {3'b0, over};
  wire [2:0] r = s[2:0] + {2'b0, over};
  wire [4:0] lo = {r, code[1:0]};
  // {negative, not zero} of a digit 0, 1, 2 that stands for -1, 0, +1.
  function [1:0] trit(input [1:0] digit);
    trit = {digit == 2'd0, digit != 2'd1};
  endfunction
  wire [1:0] hi3 = hi < 4'd3 ? 2'd0 : hi < 4'd6 ? 2'd1 : 2'd2;
  wire [1:0] hi1 = hi[1:0] - hi3 - {hi3[0], 1'b0}; // hi - 3*hi3, modulo 4
  wire [1:0] lo9 = lo < 5'd9 ? 2'd0 : lo < 5'd18 ? 2'd1 : 2'd2;
  wire [3:0] rest = lo[3:0] - (lo9 == 2'd0 ? 4'd0 : lo9 == 2'd1 ? 4'd9 : 4'd2); // lo - 9*lo9, modulo 16
  wire [1:0] lo3 = rest < 4'd3 ? 2'd0 : rest < 4'd6 ? 2'd1 : 2'd2;
  wire [1:0] lo1 = rest[1:0] - lo3 - {lo3[0], 1'b0};
  assign trits = {trit(lo1), trit(lo3), trit(lo9), trit(hi1), trit(hi3)};
endmodule

// y = acc + x . t over N trits.
module ternary_sum #(
    parameter N = 20
) (
    input wire [8*N-1:0] x,
    input wire [2*N-1:0] t,
    input wire [31:0] acc,
    output reg [31:0] y
);
  localparam [31:0] SIGNS = 128 * N;
  integer i;
  reg [7:0] row;
  always @* begin
    y = acc;
    for (i = 0; i < N; i = i + 1) begin
      row = (x[8*i+:8] ^ {8{t[2*i+1]}}) & {8{t[2*i]}};
      y = y + {24'b0, ~row[7], row[6:0]} + {31'b0, t[2*i+1]};
    end
    y = y - SIGNS;
  end
endmodule

module lane_ternary2 (input wire [159:0] x, input wire [39:0] w, input wire [31:0] acc, output wire [31:0] y);
  ternary_sum #(20) sum (x, w, acc, y);
endmodule

module lane_packed_rows (input wire [159:0] x, input wire [31:0] w, input wire [31:0] acc, output wire [31:0] y);
  wire [39:0] t;
  genvar i;
  generate
    for (i = 0; i < 4; i = i + 1) begin : bytes
      packed_byte decode (w[8*i+:8], t[10*i+:10]);
    end
  endgenerate
  ternary_sum #(20) sum (x, t, acc, y);
endmodule

module lane_packed_block (input wire [39:0] x, input wire [31:0] w, input wire [127:0] acc, output wire [127:0] y);
  genvar i;
  generate
    for (i = 0; i < 4; i = i + 1) begin : rows
      wire [9:0] t;
      packed_byte decode (w[8*i+:8], t);
      ternary_sum #(5) sum (x, t, acc[32*i+:32], y[32*i+:32]);
    end
  endgenerate
endmodule
