// Reference lanes for the gate counts of docs/tgemv-gates.md: y = acc + x . w over 20 int8 activations and 20 two's complement weights of B bits.
// Three ways to write them, because an honest comparison takes the smallest: radix-4 Booth, Baugh-Wooley rows, and yosys' own `*`.
// In the first two all partial products are rows of one sum, which yosys reduces with full adders column by column; a row's sign
// extension is replaced by its inverted sign bit and a constant (-a = ~a + 1).
//
//   x   20 x int8, lane 0 lowest     w   20 x intB     acc, y   int32
`default_nettype none

// Booth: two weight bits a row, each row 0, +-x or +-2x: (8 + 1) bits, and a carry-in that completes the negation.
module lane_booth #(
    parameter B = 8
) (
    input wire [159:0] x,
    input wire [20*B-1:0] w,
    input wire [31:0] acc,
    output reg [31:0] y
);
  localparam [31:0] SIGNS = 20 * 256 * ((1 << B) - 1) / 3;
  integer i, j;
  reg one, two, neg;
  reg [B:0] digits;
  reg [8:0] row;
  always @* begin
    y = acc;
    for (i = 0; i < 20; i = i + 1) begin
      digits = {w[B*i+:B], 1'b0};
      for (j = 0; j < B / 2; j = j + 1) begin
        neg = digits[2*j+2];
        one = digits[2*j+1] ^ digits[2*j];
        two = (digits[2*j+2] ^ digits[2*j+1]) & ~one;
        row = ({9{one}} & {x[8*i+7], x[8*i+:8]}) | ({9{two}} & {x[8*i+:8], 1'b0});
        row = row ^ {9{neg}};
        y = y + ({23'b0, ~row[8], row[7:0]} << (2 * j)) + ({31'b0, neg} << (2 * j));
      end
    end
    y = y - SIGNS;
  end
endmodule

// Baugh-Wooley: one weight bit a row; the row of the weight's sign bit counts negatively.
module lane_rows #(
    parameter B = 8
) (
    input wire [159:0] x,
    input wire [20*B-1:0] w,
    input wire [31:0] acc,
    output reg [31:0] y
);
  localparam [31:0] SIGNS = 20 * (128 * ((1 << (B - 1)) - 1) + (127 << (B - 1)));
  integer i, j;
  reg [7:0] row;
  always @* begin
    y = acc;
    for (i = 0; i < 20; i = i + 1)
      for (j = 0; j < B; j = j + 1) begin
        row = x[8*i+:8] & {8{w[B*i+j]}};
        row = j == B - 1 ? {row[7], ~row[6:0]} : {~row[7], row[6:0]};
        y = y + ({24'b0, row} << j);
      end
    y = y - SIGNS;
  end
endmodule

// `*`: as one would write it, and leave the rest to the tool.
module lane_star #(
    parameter B = 8
) (
    input wire [159:0] x,
    input wire [20*B-1:0] w,
    input wire [31:0] acc,
    output reg [31:0] y
);
  localparam [31:0] SIGNS = 20 << (B + 7);
  integer i;
  reg signed [B+7:0] product;
  always @* begin
    y = acc;
    for (i = 0; i < 20; i = i + 1) begin
      product = $signed(x[8*i+:8]) * $signed(w[B*i+:B]);
      y = y + {{(24 - B) {1'b0}}, ~product[B+7], product[B+6:0]};
    end
    y = y - SIGNS;
  end
endmodule

module lane_int4_booth (input wire [159:0] x, input wire [79:0] w, input wire [31:0] acc, output wire [31:0] y);
  lane_booth #(4) lane (x, w, acc, y);
endmodule
module lane_int4_rows (input wire [159:0] x, input wire [79:0] w, input wire [31:0] acc, output wire [31:0] y);
  lane_rows #(4) lane (x, w, acc, y);
endmodule
module lane_int4_star (input wire [159:0] x, input wire [79:0] w, input wire [31:0] acc, output wire [31:0] y);
  lane_star #(4) lane (x, w, acc, y);
endmodule
module lane_int8_booth (input wire [159:0] x, input wire [159:0] w, input wire [31:0] acc, output wire [31:0] y);
  lane_booth #(8) lane (x, w, acc, y);
endmodule
module lane_int8_rows (input wire [159:0] x, input wire [159:0] w, input wire [31:0] acc, output wire [31:0] y);
  lane_rows #(8) lane (x, w, acc, y);
endmodule
module lane_int8_star (input wire [159:0] x, input wire [159:0] w, input wire [31:0] acc, output wire [31:0] y);
  lane_star #(8) lane (x, w, acc, y);
endmodule
