// Activations: x i16 (vectors, cols) from the M port to the five banks. Entry g * slots + s of bank b is column 5 g + b of slot s. A word is two
// columns. Missing columns of the last group are written as zeros and not read. A wide activation is two bytes, 64 hi + lo, and a word of
// them takes two cycles: hi when it arrives, lo in the cycle after.
module tgemv_load #(
    parameter ENTRY_BITS = 11
) (
    input  wire                  clk,
    input  wire                  start,
    input  wire                  active,
    input  wire [15:0]           cols,
    input  wire [3:0]            vectors,
    input  wire                  wide,
    input  wire [3:0]            slots,
    input  wire [29:0]           first,     // address / 4
    input  wire [15:0]           stride,
    output wire                  m_req,
    output wire [29:0]           m_word,
    input  wire                  m_gnt,
    input  wire [31:0]           m_rdata,
    output wire                  done,
    output wire                  bad,       // an activation is out of range,
    output wire [31:0]           bad_info,  // this one
    output reg  [ENTRY_BITS-1:0] last_group,  // entry of slot 0 in the last group
    output wire [4:0]            write,
    output wire [5*ENTRY_BITS-1:0] addr,
    output wire [39:0]           data
);
    // The word to be asked for.
    reg [15:0]           col;
    reg [2:0]            bank;
    reg [ENTRY_BITS-1:0] entry;
    reg [3:0]            vector;
    reg [29:0]           base;
    reg [29:0]           word;
    reg                  all;    // every word was asked for
    reg                  pause;
    // The word that arrives.
    reg                  valid;
    reg                  zero0;
    reg                  zero1;
    reg                  skip1;
    reg [2:0]            at_bank;
    reg [ENTRY_BITS-1:0] at_entry;
    reg [15:0]           at_col;
    reg [3:0]            at_vector;
    // The lower halves of it, one cycle later.
    reg                  second;
    reg [5:0]            lo0;
    reg [5:0]            lo1;

    wire real_word  = col < cols;
    wire beyond1    = {1'b0, col} + 17'd1 >= {1'b0, cols};
    wire beyond2    = {1'b0, col} + 17'd2 >= {1'b0, cols};
    wire ready      = active & ~all & ~pause;
    wire step       = ready & (~real_word | m_gnt);
    wire end_vector = beyond2 & (bank == 3'd3 | (bank == 3'd4 & beyond1));
    wire next_group = bank >= 3'd3;

    wire [ENTRY_BITS-1:0] stride_entry = {{(ENTRY_BITS - 4) {1'b0}}, slots};
    wire [3:0]            next_vector  = vector + 4'd1;
    wire [3:0]            next_slot    = wide ? {next_vector[2:0], 1'b0} : next_vector;
    wire [29:0]           next_base    = base + {14'd0, stride};

    assign m_req  = ready & real_word;
    assign m_word = word;

    wire [15:0] x0    = zero0 ? 16'd0 : m_rdata[15:0];
    wire [15:0] x1    = zero1 ? 16'd0 : m_rdata[31:16];
    wire        fits0 = wide ? (&x0[15:12] | ~|x0[15:12]) : (&x0[15:7] | ~|x0[15:7]);
    wire        fits1 = wide ? (&x1[15:12] | ~|x1[15:12]) : (&x1[15:7] | ~|x1[15:7]);
    wire [7:0]  hi0   = {x0[12], x0[12:6]} + {7'd0, x0[5]};
    wire [7:0]  hi1   = {x1[12], x1[12:6]} + {7'd0, x1[5]};

    assign bad      = valid & ~(fits0 & fits1);
    assign bad_info = {12'd0, at_vector, at_col};
    assign done     = all & (wide ? second : valid);

    wire [7:0] byte0 = second ? {{2{lo0[5]}}, lo0} : wide ? hi0 : x0[7:0];
    wire [7:0] byte1 = second ? {{2{lo1[5]}}, lo1} : wide ? hi1 : x1[7:0];
    wire [ENTRY_BITS-1:0] entry0 = at_entry + {{(ENTRY_BITS - 1) {1'b0}}, second};
    wire [ENTRY_BITS-1:0] entry1 = entry0 + stride_entry;  // bank 0 of the next group, after bank 4
    wire                  writes = valid | second;

    genvar b;
    generate
        for (b = 0; b < 5; b = b + 1) begin : banks
            wire is0 = at_bank == b;
            wire is1 = at_bank == (b + 4) % 5;
            assign write[b] = writes & (is0 | (is1 & ~skip1));
            assign addr[b*ENTRY_BITS+:ENTRY_BITS] = (b == 0 && is1) ? entry1 : entry0;
            assign data[b*8+:8] = is0 ? byte0 : byte1;
        end
    endgenerate

    always @(posedge clk) begin
        if (start) begin
            col    <= 16'd0;
            bank   <= 3'd0;
            entry  <= {ENTRY_BITS{1'b0}};
            vector <= 4'd0;
            base   <= first;
            word   <= first;
            all    <= 1'b0;
            pause  <= 1'b0;
            valid  <= 1'b0;
            second <= 1'b0;
        end else begin
            valid  <= step;
            second <= valid & wide;
            pause  <= step & wide;
            if (valid) begin
                lo0 <= x0[5:0];
                lo1 <= x1[5:0];
            end
            if (step) begin
                zero0     <= ~real_word;
                zero1     <= beyond1;
                skip1     <= bank == 3'd4 & beyond1;
                at_bank   <= bank;
                at_entry  <= entry;
                at_col    <= col;
                at_vector <= vector;
                if (end_vector) begin
                    col    <= 16'd0;
                    bank   <= 3'd0;
                    entry  <= {{(ENTRY_BITS - 4) {1'b0}}, next_slot};
                    vector <= next_vector;
                    base   <= next_base;
                    word   <= next_base;
                    all    <= next_vector == vectors;
                    if (vector == 4'd0) last_group <= entry;
                end else begin
                    col  <= col + 16'd2;
                    bank <= next_group ? bank - 3'd3 : bank + 3'd2;
                    word <= word + 30'd1;
                    if (next_group) entry <= entry + stride_entry;
                end
            end
        end
    end
endmodule
