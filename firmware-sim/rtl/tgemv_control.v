// The phases of a job, the fetch and check of its descriptor, and every error.
//
//     idle --doorbell--> fetch --> check --> load --> prime --> run --> drain --> idle, or fetch of the next descriptor
//       \--------start-------------^   \----keep------^
module tgemv_control #(
    parameter SLOTS    = 4,
    parameter ENTRIES  = 2048
) (
    input  wire        clk,
    input  wire        clear,
    input  wire        abort,
    input  wire        start,
    input  wire        bell,
    input  wire [31:0] bell_addr,
    output reg  [2:0]  phase,
    output reg  [31:0] desc,
    // the job
    input  wire [31:0] next,
    input  wire [31:0] waddr,
    input  wire [31:0] wbytes,
    input  wire [31:0] aaddr,
    input  wire [31:0] oaddr,
    input  wire [31:0] dims,
    input  wire [31:0] mode,
    output wire [3:0]  slots,
    // words of a descriptor go to the registers
    output wire        fetched,
    output wire [3:0]  fetched_index,
    // M port
    output wire        m_req,
    output wire [29:0] m_word,
    input  wire        m_gnt,
    input  wire [31:0] m_rdata,
    // what goes on elsewhere
    input  wire        m_refused,      // an address of the M port
    input  wire [31:0] m_addr,
    input  wire        load_done,
    input  wire        load_bad,
    input  wire [31:0] load_bad_info,
    input  wire        w_refused,
    input  wire [31:0] w_addr,
    input  wire        take,
    input  wire [3:0]  code_bad,
    input  wire [29:0] head_word,
    input  wire        no_beat,
    input  wire        over,
    input  wire        job_last,
    input  wire        drained,
    // commands
    output wire        accept,         // the check was passed: weights, lanes and writer begin
    output wire        accept_load,    // and activations are to be loaded
    output wire        stop,           // abort or error: drop everything
    output wire        job_done,
    output wire        chain_done,
    output reg         error,
    output reg  [3:0]  error_code,
    output reg  [31:0] error_info
);
    localparam IDLE = 3'd0, FETCH = 3'd1, CHECK = 3'd2, LOAD = 3'd3, PRIME = 3'd4, RUN = 3'd5, DRAIN = 3'd6;
    localparam [31:0] SUM = 32'h56544d47;
    localparam [3:0] WORDS = 4'd10;

    reg         from_memory;  // the job came from a descriptor
    reg [3:0]   asked;        // words asked for
    reg         arrives;
    reg [31:0]  sum;
    reg         kept;         // the buffer holds activations of these:
    reg [15:0]  kept_cols;
    reg [3:0]   kept_vectors;
    reg         kept_wide;

    wire [15:0] cols    = dims[15:0];
    wire [15:0] rows    = dims[31:16];
    wire [7:0]  packing = mode[7:0];
    wire [3:0]  vectors = mode[11:8];
    wire        wide    = mode[16];
    wire        keep    = mode[17];

    assign slots = wide ? {vectors[2:0], 1'b0} : vectors;

    assign fetched       = arrives;
    assign fetched_index = asked - 4'd1;
    assign m_req         = phase == FETCH & asked != WORDS & desc[1:0] == 2'd0;
    assign m_word        = desc[31:2] + {26'd0, asked};

    // 5 * floor(ENTRIES / slots); slots beyond SLOTS are another error.
    function [31:0] most_cols(input integer n);
        most_cols = 5 * (ENTRIES / n);
    endfunction
    reg too_long;
    integer s;
    always @* begin
        too_long = 1'b0;
        for (s = 1; s <= SLOTS; s = s + 1) if (slots == s[3:0]) too_long = {16'd0, cols} > most_cols(s);
    end

    wire [4:0] needs        = wide ? {vectors, 1'b0} : {1'b0, vectors};
    wire       bad_sum      = from_memory & sum != SUM;
    wire       bad_mode     = (|mode[15:12]) | (|mode[31:19]);
    wire       bad_w        = |waddr[1:0];
    wire       bad_bytes    = |wbytes[1:0];
    wire       bad_a        = |aaddr[1:0];
    wire       bad_o        = |oaddr[1:0];
    wire       bad_packing  = packing == 8'd0 | packing > 8'd5;
    wire       bad_vectors  = needs == 5'd0 | needs > SLOTS[4:0];
    wire       bad_dim      = cols == 16'd0 | rows == 16'd0 | too_long;
    wire       bad_keep     = keep & ~(kept & kept_cols == cols & kept_vectors == vectors & kept_wide == wide);

    wire underrun = no_beat & ~over;
    wire overrun  = job_last & over;
    wire code     = take & (|code_bad);

    always @* begin
        error      = 1'b1;
        error_code = 4'd0;
        error_info = mode;
        if (phase == FETCH & desc[1:0] != 2'd0) begin
            error_code = 4'd2;
            error_info = desc;
        end else if (phase == CHECK) begin
            if (bad_sum) begin
                error_code = 4'd10;
                error_info = desc;
            end else if (bad_mode) error_code = 4'd1;
            else if (bad_w | bad_bytes | bad_a | bad_o) begin
                error_code = 4'd2;
                error_info = bad_w ? waddr : bad_bytes ? wbytes : bad_a ? aaddr : oaddr;
            end else if (bad_packing) error_code = 4'd5;
            else if (bad_vectors) error_code = 4'd3;
            else if (bad_dim) begin
                error_code = 4'd4;
                error_info = dims;
            end else if (bad_keep) error_code = 4'd12;
            else error = 1'b0;
        end else if (load_bad & phase == LOAD) begin
            error_code = 4'd11;
            error_info = load_bad_info;
        end else if (m_refused) begin
            error_code = 4'd7;
            error_info = m_addr;
        end else if (w_refused) begin
            error_code = 4'd7;
            error_info = w_addr;
        end else if (code) begin
            error_code = 4'd6;
            error_info = {head_word, code_bad[0] ? 2'd0 : code_bad[1] ? 2'd1 : code_bad[2] ? 2'd2 : 2'd3};
        end else if (underrun | overrun) begin
            error_code = 4'd8;
            error_info = wbytes;
        end else error = 1'b0;
    end

    assign stop        = abort | error;
    assign accept      = phase == CHECK & ~stop;
    assign accept_load = accept & ~keep;
    assign job_done    = phase == DRAIN & drained & ~stop;
    assign chain_done  = job_done & next == 32'd0;

    always @(posedge clk) begin
        if (clear) begin
            phase <= IDLE;
            desc  <= 32'd0;
            kept  <= 1'b0;
            arrives <= 1'b0;
        end else if (stop) begin
            phase <= IDLE;
            kept  <= 1'b0;
            arrives <= 1'b0;
        end else begin
            arrives <= m_req & m_gnt;
            if (m_req & m_gnt) asked <= asked + 4'd1;
            if (arrives) sum <= sum + m_rdata;
            case (phase)
                IDLE: begin
                    asked       <= 4'd0;
                    sum         <= 32'd0;
                    from_memory <= bell;
                    if (bell) desc <= bell_addr;
                    if (bell) phase <= FETCH;
                    else if (start) phase <= CHECK;
                end
                FETCH: if (arrives & asked == WORDS) phase <= CHECK;
                CHECK: begin
                    if (~keep) kept <= 1'b0;
                    phase <= keep ? PRIME : LOAD;
                end
                LOAD: if (load_done) phase <= PRIME;
                PRIME: begin
                    kept         <= 1'b1;
                    kept_cols    <= cols;
                    kept_vectors <= vectors;
                    kept_wide    <= wide;
                    phase        <= RUN;
                end
                RUN: if (job_last) phase <= DRAIN;
                default:
                if (job_done) begin
                    asked       <= 4'd0;
                    sum         <= 32'd0;
                    from_memory <= 1'b1;
                    if (~chain_done) desc <= next;
                    phase <= chain_done ? IDLE : FETCH;
                end
            endcase
        end
    end
endmodule
