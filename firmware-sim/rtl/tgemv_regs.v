// The register file (spec/TGEMV.md, "Registers"): one access a cycle, reads are combinational. Words of a descriptor are written into it as they arrive.
module tgemv_regs #(
    parameter SLOTS    = 4,
    parameter FIFO     = 8,
    parameter ENTRIES  = 2048,
    parameter ACC_BITS = 29
) (
    input  wire        clk,
    input  wire        rst,
    input  wire        s_sel,
    input  wire        s_we,
    input  wire [7:2]  s_addr,   // whole words
    input  wire [31:0] s_wdata,
    output reg  [31:0] s_rdata,
    output wire        irq,
    // commands
    output wire        clear,      // reset, by pin or by CTRL
    output wire        abort,
    output wire        start,
    output wire        bell,
    // from the control
    input  wire [2:0]  phase,
    input  wire [31:0] desc,
    input  wire        fetched,
    input  wire [3:0]  fetched_index,
    input  wire [31:0] fetched_data,
    input  wire        job_done,
    input  wire        chain_done,
    input  wire        error,
    input  wire [3:0]  error_code,
    input  wire [31:0] error_info,
    // the job
    output wire [31:0] next,
    output wire [31:0] waddr,
    output wire [31:0] wbytes,
    output wire [31:0] aaddr,
    output wire [31:0] oaddr,
    output wire [31:0] dims,
    output wire [31:0] mode,
    output wire [31:0] strides,
    // counters
    output reg         count_enable,
    output wire        count_clear,
    output wire [3:0]  count_index,
    input  wire [31:0] count_value
);
    localparam [5:0] ID = 6'h00, VERSION = 6'h01, CAP = 6'h02, CTRL = 6'h03, STATUS = 6'h04, IRQ_EN = 6'h05, IRQ_STAT = 6'h06, ERR = 6'h07,
        ERR_INFO = 6'h08, DESC_HEAD = 6'h09, DOORBELL = 6'h0a, NEXT = 6'h0b, TAG = 6'h13, CAP2 = 6'h14, PC_CTRL = 6'h20;

    reg [31:0] job[0:8];
    reg        done;
    reg        err;
    reg [3:0]  code;
    reg [31:0] info;
    reg [1:0]  irq_en;
    reg [1:0]  irq_stat;

    wire [5:0] word     = s_addr[7:2];
    wire       write    = s_sel & s_we;
    wire       busy     = phase != 3'd0;
    wire       ctrl     = write & word == CTRL;
    wire       is_job   = word >= NEXT & word <= TAG;
    wire [3:0] job_word = word[3:0] - NEXT[3:0];  // 0x0b..0x13 -> 0..8

    wire wants_start = ctrl & s_wdata == 32'd1;
    wire bad_ctrl    = ctrl & s_wdata != 32'd0 & s_wdata != 32'd1 & s_wdata != 32'd2 & s_wdata != 32'd4;
    wire wants_bell  = write & word == DOORBELL;
    wire is_busy     = busy & (wants_start | wants_bell | (write & is_job));

    assign clear = rst | (ctrl & s_wdata == 32'd4);
    assign abort = ctrl & s_wdata == 32'd2;
    assign start = wants_start & ~busy;
    assign bell  = wants_bell & ~busy;

    assign next    = job[0];
    assign waddr   = job[1];
    assign wbytes  = job[2];
    assign aaddr   = job[3];
    assign oaddr   = job[4];
    assign dims    = job[5];
    assign mode    = job[6];
    assign strides = job[7];

    assign irq         = |(irq_stat & irq_en);
    assign count_clear = clear | (write & word == PC_CTRL & s_wdata[1]);
    assign count_index = word[3:0];

    wire fails = error & ~abort;
    wire ends  = job_done & (chain_done | mode[18]);
    wire [1:0] written = write & word == IRQ_STAT ? s_wdata[1:0] : 2'd0;

    integer i;
    always @(posedge clk) begin
        if (clear) begin
            for (i = 0; i < 9; i = i + 1) job[i] <= 32'd0;
            done         <= 1'b0;
            err          <= 1'b0;
            code         <= 4'd0;
            info         <= 32'd0;
            irq_en       <= 2'd0;
            irq_stat     <= 2'd0;
            count_enable <= 1'b1;
        end else begin
            if (fetched & fetched_index != 4'd9) job[fetched_index] <= fetched_data;
            else if (write & is_job & ~busy) job[job_word] <= s_wdata;

            if (start | bell) begin
                done <= 1'b0;
                err  <= 1'b0;
                code <= 4'd0;
                info <= 32'd0;
            end else if (fails) begin
                err  <= 1'b1;
                code <= error_code;
                info <= error_info;
            end else if (bad_ctrl | is_busy) begin
                err  <= 1'b1;
                code <= bad_ctrl ? 4'd1 : 4'd9;
                info <= bad_ctrl ? s_wdata : {24'd0, word, 2'b00};
            end
            if (chain_done) done <= 1'b1;

            irq_stat <= (irq_stat & ~written) | {fails | bad_ctrl | is_busy, ends};
            if (write & word == IRQ_EN) irq_en <= s_wdata[1:0];
            if (write & word == PC_CTRL) count_enable <= s_wdata[0];
        end
    end

    localparam [3:0] CAP_SLOTS = SLOTS[3:0];
    localparam [7:0] CAP_FIFO = FIFO[7:0];
    localparam [7:0] CAP_ACC = ACC_BITS[7:0];

    always @* begin
        case (word)
            ID: s_rdata = 32'h564d4754;
            VERSION: s_rdata = 32'h00010000;
            CAP: s_rdata = {CAP_FIFO, CAP_ACC, CAP_SLOTS, 4'd4, 8'd20};
            STATUS: s_rdata = {25'd0, phase, 1'b0, err, done, busy};
            IRQ_EN: s_rdata = {30'd0, irq_en};
            IRQ_STAT: s_rdata = {30'd0, irq_stat};
            ERR: s_rdata = {28'd0, code};
            ERR_INFO: s_rdata = info;
            DESC_HEAD: s_rdata = desc;
            CAP2: s_rdata = ENTRIES;
            default: s_rdata = word[5:4] == PC_CTRL[5:4] ? count_value : is_job ? job[job_word] : 32'd0;
        endcase
    end
endmodule
