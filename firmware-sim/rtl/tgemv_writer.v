// Outputs: the shadow registers of a block to y i32 (vectors, rows) by the M port, vector by vector, rows that exist only. The two slots
// of a wide vector are joined here: 64 hi + lo.
module tgemv_writer #(
    parameter SLOTS    = 4,
    parameter ACC_BITS = 29
) (
    input  wire                         clk,
    input  wire                         start,
    input  wire [29:0]                  first,    // address / 4
    input  wire [15:0]                  stride,
    input  wire [3:0]                   vectors,
    input  wire                         wide,
    input  wire                         full,
    input  wire [2:0]                   rows,
    input  wire [SLOTS*4*ACC_BITS-1:0]  shadow,
    output wire                         m_req,
    output wire [29:0]                  m_word,
    output wire [31:0]                  m_wdata,
    input  wire                         m_gnt,
    output wire                         drained
);
    reg [3:0]  vector;
    reg [1:0]  row;
    reg [29:0] block;  // row 0 of the block, vector 0
    reg [29:0] base;   // the same of the vector

    wire row_last    = {1'b0, row} + 3'd1 == rows;
    wire vector_last = vector + 4'd1 == vectors;

    assign m_req   = full;
    assign m_word  = base + {28'd0, row};
    assign drained = full & m_gnt & row_last & vector_last;

    // Slots of the vector, four rows each.
    wire [4*ACC_BITS-1:0] low_rows;
    wire [4*ACC_BITS-1:0] high_rows;
    generate
        if (SLOTS > 1) begin : several
            wire [3:0] slot = wide ? {vector[2:0], 1'b0} : vector;
            reg [4*ACC_BITS-1:0] even;
            reg [4*ACC_BITS-1:0] odd;
            integer s;
            always @* begin
                even = shadow[4*ACC_BITS-1:0];
                odd  = shadow[8*ACC_BITS-1:4*ACC_BITS];
                for (s = 0; s < SLOTS; s = s + 2) begin
                    if (slot[3:1] == s[3:1]) begin
                        even = shadow[s*4*ACC_BITS+:4*ACC_BITS];
                        odd  = shadow[(s+1)*4*ACC_BITS+:4*ACC_BITS];
                    end
                end
            end
            assign high_rows = even;
            assign low_rows  = wide | slot[0] ? odd : even;
        end else begin : one
            assign high_rows = shadow;
            assign low_rows  = shadow;
        end
    endgenerate

    wire [25:0]         high = high_rows[row*ACC_BITS+:26];
    wire [ACC_BITS-1:0] low  = low_rows[row*ACC_BITS+:ACC_BITS];
    wire [31:0] high64 = wide ? {high, 6'd0} : 32'd0;
    assign m_wdata = high64 + {{(32 - ACC_BITS) {low[ACC_BITS-1]}}, low};

    always @(posedge clk) begin
        if (start) begin
            vector <= 4'd0;
            row    <= 2'd0;
            block  <= first;
            base   <= first;
        end else if (full & m_gnt) begin
            row <= row_last ? 2'd0 : row + 2'd1;
            if (row_last) begin
                if (vector_last) begin
                    vector <= 4'd0;
                    block  <= block + 30'd4;
                    base   <= block + 30'd4;
                end else begin
                    vector <= vector + 4'd1;
                    base   <= base + {14'd0, stride};
                end
            end
        end
    end
endmodule
