// Reference lanes for the gate counts: ternary weights, 20 of them a cycle, int8 activations, int32 accumulators.
//
//   lane_ternary2      1 row x 20 trits, two bits a trit {negative, not zero}: 40 bits of weights
//   lane_packed_rows   1 row x 20 trits, five trits a byte (spec/PACKING.md): 32 bits
//   lane_packed_block  4 rows x 5 trits, five trits a byte: 32 bits, the beat of our packing, four sums and accumulators
//
// A trit's product is x, ~x with a carry-in, or 0. Signs are extended by a constant, as in integer.v. Bytes are decoded by the unit's ../tgemv_decode.v.
`default_nettype none

// y = acc + x . t over N trits.
module ternary_sum #(
    parameter N = 20
) (
    input wire [8*N-1:0] x,
    input wire [N-1:0] nonzero,
    input wire [N-1:0] negative,
    input wire [31:0] acc,
    output reg [31:0] y
);
  localparam [31:0] SIGNS = 128 * N;
  integer i;
  reg [7:0] row;
  always @* begin
    y = acc;
    for (i = 0; i < N; i = i + 1) begin
      row = (x[8*i+:8] ^ {8{negative[i]}}) & {8{nonzero[i]}};
      y = y + {24'b0, ~row[7], row[6:0]} + {31'b0, negative[i]};
    end
    y = y - SIGNS;
  end
endmodule

// Two bits a trit: 00 zero, 01 one, 11 minus one.
module lane_ternary2 (input wire [159:0] x, input wire [39:0] w, input wire [31:0] acc, output wire [31:0] y);
  wire [19:0] nonzero;
  wire [19:0] negative;
  genvar i;
  generate
    for (i = 0; i < 20; i = i + 1) begin : trits
      assign {negative[i], nonzero[i]} = w[2*i+:2];
    end
  endgenerate
  ternary_sum #(20) sum (x, nonzero, negative, acc, y);
endmodule

module lane_packed_rows (input wire [159:0] x, input wire [31:0] w, input wire [31:0] acc, output wire [31:0] y);
  wire [19:0] nonzero;
  wire [19:0] negative;
  genvar i;
  generate
    for (i = 0; i < 4; i = i + 1) begin : bytes
      wire unused; // an error of the unit, nothing to a lane
      tgemv_decode decode (.code(w[8*i+:8]), .nonzero(nonzero[5*i+:5]), .negative(negative[5*i+:5]), .bad(unused));
    end
  endgenerate
  ternary_sum #(20) sum (x, nonzero, negative, acc, y);
endmodule

module lane_packed_block (input wire [39:0] x, input wire [31:0] w, input wire [127:0] acc, output wire [127:0] y);
  genvar i;
  generate
    for (i = 0; i < 4; i = i + 1) begin : rows
      wire [4:0] nonzero;
      wire [4:0] negative;
      wire unused; // an error of the unit, nothing to a lane
      tgemv_decode decode (.code(w[8*i+:8]), .nonzero(nonzero), .negative(negative), .bad(unused));
      ternary_sum #(5) sum (x, nonzero, negative, acc[32*i+:32], y[32*i+:32]);
    end
  endgenerate
endmodule
