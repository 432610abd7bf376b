// A packed byte -> five trits (spec/PACKING.md). byte = 28 hi + lo: the upper six bits are 7 hi + lo / 4, and a division of 8a + b by 7
// is a, and one more for each time that 7 goes into a + b. No table.
//
//     nonzero[i], negative[i]: trit i, the lowest column first; negative only where nonzero
module tgemv_decode (
    input  wire [7:0] code,
    output wire [4:0] nonzero,
    output wire [4:0] negative,
    output wire       bad
);
    wire [3:0] ab    = {1'b0, code[7:5]} + {1'b0, code[4:2]};
    wire       seven = ab >= 4'd7;
    wire [3:0] hi    = {1'b0, code[7:5]} + {3'b000, seven};
    wire [2:0] rest  = seven ? ab[2:0] + 3'd1 : ab[2:0];
    wire [4:0] lo    = {rest, code[1:0]};

    assign bad = lo == 5'd27 || code >= 8'd252;

    // hi = 3 t0 + t1, lo = 9 t2 + 3 t3 + t4, each t one more than its trit.
    reg [3:0] ones_hi;  // {t0, t1}, two bits each
    always @* begin
        case (hi)
            4'd0: ones_hi = 4'b0000;
            4'd1: ones_hi = 4'b0001;
            4'd2: ones_hi = 4'b0010;
            4'd3: ones_hi = 4'b0100;
            4'd4: ones_hi = 4'b0101;
            4'd5: ones_hi = 4'b0110;
            4'd6: ones_hi = 4'b1000;
            4'd7: ones_hi = 4'b1001;
            default: ones_hi = 4'b1010;
        endcase
    end

    wire       nine     = lo >= 5'd9;
    wire       eighteen = lo >= 5'd18;
    wire [3:0] low      = eighteen ? lo[3:0] - 4'd2 : nine ? lo[3:0] - 4'd9 : lo[3:0];
    reg  [3:0] ones_lo;  // {t3, t4}
    always @* begin
        case (low)
            4'd0: ones_lo = 4'b0000;
            4'd1: ones_lo = 4'b0001;
            4'd2: ones_lo = 4'b0010;
            4'd3: ones_lo = 4'b0100;
            4'd4: ones_lo = 4'b0101;
            4'd5: ones_lo = 4'b0110;
            4'd6: ones_lo = 4'b1000;
            4'd7: ones_lo = 4'b1001;
            default: ones_lo = 4'b1010;
        endcase
    end

    // t = 1 is zero, t = 0 negative.
    assign nonzero  = {~ones_lo[0], ~ones_lo[2], ~nine | eighteen, ~ones_hi[0], ~ones_hi[2]};
    assign negative = {~|ones_lo[1:0], ~|ones_lo[3:2], ~nine, ~|ones_hi[1:0], ~|ones_hi[3:2]};
endmodule
