// Reference lanes for the gate counts: y = acc + x . w over 20 fp16 activations and weights.
//
//   lane_fp16       every product and sum rounded to fp16, to nearest even: 20 multipliers, a tree of 20 adders. The event that the paper
//                   (and Horowitz' table) counts: one fp16 multiplication and one fp16 addition a weight.
//   lane_fp16_fp32  exact products, aligned to the largest exponent, added as integers and rounded to fp32 once: how tensor cores do it.
//
// Modules that keep their hierarchy are counted by themselves: gates of different lanes cannot be shared, and it takes seconds instead of minutes.
// The cheapest float that is one: subnormals never come in and are flushed to zero, overflow gives the largest number, no infinities, no NaN.
`default_nettype none

// Bit E+M is the sign, exponent 0 is zero, exponent 2^E - 1 does not occur.
module fp_round #(
    parameter E = 5,
    parameter M = 10
) (
    input wire sign,
    input wire signed [E+1:0] exponent, // biased, of the leading bit of `mantissa`
    input wire [M:0] mantissa, // leading 1; 0: the number is zero
    input wire guard,
    input wire sticky,
    output wire [E+M:0] y
);
  localparam signed [E+1:0] LARGEST = (1 << E) - 2;
  wire [M+1:0] rounded = {1'b0, mantissa} + {{M + 1{1'b0}}, guard & (sticky | mantissa[0])};
  wire signed [E+1:0] e = exponent + (rounded[M+1] ? 1 : 0);
  wire zero = ~mantissa[M] || e <= 0;
  wire overflow = e > LARGEST;
  assign y = {
    sign, zero ? {E + M{1'b0}} : overflow ? {LARGEST[E-1:0], {M{1'b1}}} : {e[E-1:0], rounded[M+1] ? rounded[M:1] : rounded[M-1:0]}
  };
endmodule

// 1.a * 1.b of the 10-bit fractions, by radix-4 Booth: 4 % smaller than yosys' `*`.
module significands (
    input wire [9:0] a,
    input wire [9:0] b,
    output reg [21:0] y
);
  localparam [21:0] SIGNS = 22'd4096 * 22'd1365;
  wire [13:0] digits = {3'b001, b, 1'b0};
  integer j;
  reg one, two, neg;
  reg [11:0] row;
  always @* begin
    y = 0;
    for (j = 0; j < 6; j = j + 1) begin
      neg = digits[2*j+2];
      one = digits[2*j+1] ^ digits[2*j];
      two = (digits[2*j+2] ^ digits[2*j+1]) & ~one;
      row = (({12{one}} & {2'b01, a}) | ({12{two}} & {1'b1, a, 1'b0})) ^ {12{neg}};
      y = y + ({9'b0, ~neg, row} << (2 * j)) + ({21'b0, neg} << (2 * j));
    end
    y = y - SIGNS;
  end
endmodule

(* keep_hierarchy *)
module fp16_mul (
    input wire [15:0] a,
    input wire [15:0] b,
    output wire [15:0] y
);
  wire zero = a[14:10] == 0 || b[14:10] == 0;
  wire [21:0] product;
  significands multiply (a[9:0], b[9:0], product);
  wire [21:0] p = zero ? 22'd0 : product[21] ? product : {product[20:0], 1'b0};
  wire signed [6:0] exponent = $signed({2'b0, a[14:10]}) + $signed({2'b0, b[14:10]}) - 7'sd15 + (product[21] ? 7'sd1 : 7'sd0);
  fp_round #(5, 10) round (a[15] ^ b[15], exponent, p[21:11], p[10], |p[9:0], y);
endmodule

(* keep_hierarchy *)
module fp16_add (
    input wire [15:0] a,
    input wire [15:0] b,
    output wire [15:0] y
);
  wire swap = b[14:0] > a[14:0];
  wire [15:0] greater = swap ? b : a;
  wire [14:0] lesser = swap ? a[14:0] : b[14:0];
  wire subtract = a[15] ^ b[15];
  wire [4:0] distance = greater[14:10] - lesser[14:10];
  // Hidden bit, fraction, guard, round; what is shifted out below is the sticky bit.
  wire [12:0] lesser_bits = {lesser[14:10] != 0, lesser[9:0], 2'b00};
  wire [25:0] shifted = {lesser_bits, 13'b0} >> (distance > 5'd13 ? 5'd13 : distance);
  wire [13:0] aligned = {shifted[25:13], |shifted[12:0]};
  wire [14:0] greater_bits = {1'b0, greater[14:10] != 0, greater[9:0], 3'b000};
  wire [14:0] sum = subtract ? greater_bits - {1'b0, aligned} : greater_bits + {1'b0, aligned};
  wire [3:0] zeros;
  wire [15:0] norm;
  normalise #(4) shift ({sum, 1'b0}, zeros, norm);
  wire signed [6:0] exponent = $signed({2'b0, greater[14:10]}) + 7'sd1 - $signed({3'b0, zeros});
  // An exact zero is positive, unless both are negative.
  fp_round #(5, 10) round (greater[15] & ~(subtract & sum == 0), exponent, norm[15:5], norm[4], |norm[3:0], y);
endmodule

// Leading zeros of 2^K bits, and the number shifted left by them.
module normalise #(
    parameter K = 4
) (
    input wire [(1<<K)-1:0] a,
    output reg [K-1:0] zeros,
    output reg [(1<<K)-1:0] y
);
  localparam N = 1 << K;
  integer k;
  always @* begin
    y = a;
    zeros = 0;
    for (k = K - 1; k >= 0; k = k - 1)
      if ((y >> (N - (1 << k))) == 0) begin
        zeros[k] = 1'b1;
        y = y << (1 << k);
      end
  end
endmodule

// 20 products and the accumulator are nodes 0..20; node 21 + k is the sum of nodes 2k and 2k + 1; the last one, 40, is the result.
module lane_fp16 (input wire [319:0] x, input wire [319:0] w, input wire [15:0] acc, output wire [15:0] y);
  wire [41*16-1:0] node;
  genvar i;
  generate
    for (i = 0; i < 20; i = i + 1) begin : lanes
      fp16_mul multiply (x[16*i+:16], w[16*i+:16], node[16*i+:16]);
      fp16_add add (node[32*i+:16], node[32*i+16+:16], node[16*(21+i)+:16]);
    end
  endgenerate
  assign node[16*20+:16] = acc;
  assign y = node[16*40+:16];
endmodule

// A product of two fp16, exact: value = product * 2^(exponent - 50), exponent 0: zero.
(* keep_hierarchy *)
module fp16_product (
    input wire [14:0] a, // without the sign
    input wire [14:0] b,
    output wire [21:0] product,
    output wire [5:0] exponent
);
  wire zero = a[14:10] == 0 || b[14:10] == 0;
  wire [21:0] y;
  significands multiply (a[9:0], b[9:0], y);
  assign product = y & {22{~zero}};
  assign exponent = zero ? 6'd0 : {1'b0, a[14:10]} + {1'b0, b[14:10]};
endmodule

// A term: 28 bits of two's complement without the carry-in of a negation, the sign bit inverted (see integer.v). Bit 25 has the weight of the largest
// exponent, a product, below 4, may set bit 26: the 24 bits of an fp32 and three more. What alignment shifts out is dropped.
(* keep_hierarchy *)
module align (
    input wire [26:0] magnitude,
    input wire [7:0] distance,
    input wire sign,
    output wire [27:0] term
);
  wire [26:0] far = distance[7:5] != 0 ? 27'd0 : magnitude >> distance[4:0];
  assign term = {~sign, far ^ {27{sign}}};
endmodule

(* keep_hierarchy *)
module larger (
    input wire [5:0] a,
    input wire [5:0] b,
    output wire [5:0] y
);
  assign y = a > b ? a : b;
endmodule

// Exponents are biased as in fp32; the accumulator is below 2^100.
module lane_fp16_fp32 (input wire [319:0] x, input wire [319:0] w, input wire [31:0] acc, output wire [31:0] y);
  wire [20*22-1:0] products;
  wire [39*6-1:0] exponents; // of 20 products; 20 + k is the larger one of 2k and 2k + 1; 38 the largest
  wire [7:0] top;
  wire [20*28-1:0] terms;
  wire [27:0] acc_term;
  wire [19:0] signs;
  wire [32:0] sum;
  genvar g;
  generate
    for (g = 0; g < 20; g = g + 1) begin : lanes
      assign signs[g] = x[16*g+15] ^ w[16*g+15];
      fp16_product multiply (x[16*g+:15], w[16*g+:15], products[22*g+:22], exponents[6*g+:6]);
      align shift ({products[22*g+:22], 5'b0}, top - 8'd97 - {2'b0, exponents[6*g+:6]}, signs[g], terms[28*g+:28]);
    end
    for (g = 0; g < 19; g = g + 1) begin : exponent_tree
      larger pair (exponents[12*g+:6], exponents[12*g+6+:6], exponents[6*(20+g)+:6]);
    end
  endgenerate
  wire [5:0] largest = exponents[6*38+:6];
  wire [7:0] product_top = largest == 0 ? 8'd0 : {2'b0, largest} + 8'd97;
  assign top = acc[30:23] > product_top ? acc[30:23] : product_top;
  align shift_acc ({1'b0, acc[30:23] != 0, acc[22:0], 2'b0}, top - acc[30:23], acc[31], acc_term);
  term_sum add (terms, signs, acc_term, acc[31], sum);

  wire [31:0] magnitude = sum[32] ? -sum[31:0] : sum[31:0];
  wire [4:0] zeros;
  wire [31:0] norm;
  normalise #(5) shift (magnitude, zeros, norm);
  wire signed [9:0] exponent = $signed({2'b0, top}) + 10'sd6 - $signed({5'b0, zeros});
  fp_round #(8, 23) round (sum[32], exponent, norm[31:8], norm[7], |norm[6:0], y);
endmodule

(* keep_hierarchy *)
module term_sum (
    input wire [20*28-1:0] terms,
    input wire [19:0] signs,
    input wire [27:0] acc_term,
    input wire acc_sign,
    output reg [32:0] sum
);
  localparam [32:0] SIGNS = 33'd21 << 27;
  integer i;
  always @* begin
    sum = {5'b0, acc_term} + {32'b0, acc_sign};
    for (i = 0; i < 20; i = i + 1) sum = sum + {5'b0, terms[28*i+:28]} + {32'b0, signs[i]};
    sum = sum - SIGNS;
  end
endmodule
