// Five activations, added, subtracted or left out. -a = ~a + 1: four of the five ones are carries into the four adders, the fifth leaves
// as `carry` and is added by the accumulator.
module tgemv_tree (
    input  wire [39:0]        x,         // 5 x int8, the lowest column in bits 7..0
    input  wire [4:0]         nonzero,
    input  wire [4:0]         negative,
    output wire signed [10:0] sum,
    output wire               carry
);
    wire signed [8:0] t0 = {9{nonzero[0]}} & ({x[7],  x[7:0]}   ^ {9{negative[0]}});
    wire signed [8:0] t1 = {9{nonzero[1]}} & ({x[15], x[15:8]}  ^ {9{negative[1]}});
    wire signed [8:0] t2 = {9{nonzero[2]}} & ({x[23], x[23:16]} ^ {9{negative[2]}});
    wire signed [8:0] t3 = {9{nonzero[3]}} & ({x[31], x[31:24]} ^ {9{negative[3]}});
    wire signed [8:0] t4 = {9{nonzero[4]}} & ({x[39], x[39:32]} ^ {9{negative[4]}});

    wire signed [9:0]  s01  = {t0[8], t0} + {t1[8], t1} + {9'd0, negative[0]};
    wire signed [9:0]  s23  = {t2[8], t2} + {t3[8], t3} + {9'd0, negative[1]};
    wire signed [10:0] s013 = {s01[9], s01} + {s23[9], s23} + {10'd0, negative[2]};

    assign sum   = s013 + {{2{t4[8]}}, t4} + {10'd0, negative[3]};
    assign carry = negative[4];
endmodule
