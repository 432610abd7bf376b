// Weights: reads `beats` words from `first` on by the W port, into a FIFO.
//
//     w_active   from the start of a job until its last beat was received: the memory may read ahead
//     w_req      there is room; a beat moves in a cycle with w_req and w_valid
//     w_err      with w_valid: this address cannot be read
module tgemv_weights #(
    parameter FIFO      = 8,
    parameter FIFO_BITS = 3
) (
    input  wire        clk,
    input  wire        flush,
    input  wire        start,
    input  wire [29:0] first,
    input  wire [29:0] beats,
    output wire        w_active,
    output wire        w_req,
    output wire [31:0] w_addr,
    input  wire        w_valid,
    input  wire        w_err,
    input  wire [31:0] w_data,
    output wire        push,
    output wire        refused,
    input  wire        take,
    output wire        full_head,   // there is a beat
    output wire [31:0] head,
    output wire [29:0] head_word,   // its address / 4
    output wire        over         // beats are left, here or in memory
);
    reg [29:0]          left;
    reg [29:0]          addr;
    reg [31:0]          mem[0:FIFO-1];
    reg [FIFO_BITS-1:0] in;
    reg [FIFO_BITS-1:0] out;
    reg [FIFO_BITS:0]   count;

    assign w_active  = left != 30'd0;
    assign w_req     = w_active && count != FIFO[FIFO_BITS:0];
    assign w_addr    = {addr, 2'b00};
    assign push      = w_req & w_valid & ~w_err;
    assign refused   = w_req & w_valid & w_err;
    assign full_head = count != {(FIFO_BITS + 1) {1'b0}};
    assign head      = mem[out];
    assign head_word = addr - {{(29 - FIFO_BITS) {1'b0}}, count};
    assign over      = w_active | full_head;

    always @(posedge clk) begin
        if (flush) begin
            left  <= 30'd0;
            count <= {(FIFO_BITS + 1) {1'b0}};
            in    <= {FIFO_BITS{1'b0}};
            out   <= {FIFO_BITS{1'b0}};
        end else begin
            if (start) begin
                left <= beats;
                addr <= first;
            end
            if (push) begin
                left <= left - 30'd1;
                addr <= addr + 30'd1;
                in   <= in + {{(FIFO_BITS - 1) {1'b0}}, 1'b1};
            end
            if (take) out <= out + {{(FIFO_BITS - 1) {1'b0}}, 1'b1};
            if (push & ~take) count <= count + {{FIFO_BITS{1'b0}}, 1'b1};
            if (take & ~push) count <= count - {{FIFO_BITS{1'b0}}, 1'b1};
        end
        if (push) mem[in] <= w_data;
    end
endmodule
