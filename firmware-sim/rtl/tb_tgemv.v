// Test bench for TGEMV: memory behind both ports, and a host that follows a script, one access a cycle. scripts/rtl writes the files and compares
// what is printed with the model. For verilator and iverilog; the clock comes from tb_main.cpp or tb_clock.v.
//
//     +script=FILE   lines of five hexadecimal numbers: operation a b c d
//         0 last                   end: writes words 0..last of the M memory to +dump
//         1 offset value           write
//         2 offset                 read; prints "R cycle offset value"
//         3 n                      n cycles without access
//         4 limit                  reads STATUS until it is not busy, `limit` times at most; prints "I cycle", or "T cycle" when the limit came first
//         5 wbase wmask mbase mmask   reset; gaps of the weight port are entries wbase + (n & wmask) of +gaps, waits of the M port mbase + (n & mmask);
//                                  prints "S pushes grants reads writes" of the scenario before
//     +wmem=FILE +mmem=FILE        contents, words in hexadecimal, from 10000000 and 20000000 on
//     +gaps=FILE     16 bits each: 14..0 cycles, 15 refuse
//     +vcd=FILE      waveforms
module tb_tgemv #(
    parameter SLOTS      = 4,
    parameter SLOT_BITS  = 2,
    parameter FIFO       = 8,
    parameter FIFO_BITS  = 3,
    parameter ENTRIES    = 2048,
    parameter ENTRY_BITS = 11
) (
    input wire clk
);
    localparam WORDS = 1 << 19;
    localparam GAPS = 1 << 16;

    reg [31:0] wmem[0:WORDS-1];
    reg [31:0] mmem[0:WORDS-1];
    reg [15:0] gaps[0:GAPS-1];

    reg         rst = 1'b1;
    reg         s_sel = 1'b0;
    reg         s_we = 1'b0;
    reg  [7:0]  s_addr = 8'd0;
    reg  [31:0] s_wdata = 32'd0;
    wire [31:0] s_rdata;
    wire        irq;
    wire        m_req, m_we, w_active, w_req;
    wire [31:0] m_addr, m_wdata, w_addr;
    reg  [31:0] m_rdata = 32'd0;

    // Memory.
    reg [31:0] wbase = 0, wmask = 0, mbase = 0, mmask = 0;
    reg [31:0] pushes = 0, grants = 0, reads = 0, writes = 0;
    reg [31:0] w_waited = 0, m_waited = 0;
    wire [31:0] w_index = wbase + (pushes & wmask);
    wire [31:0] m_index = mbase + (grants & mmask);
    wire [15:0] w_gap = gaps[w_index[15:0]];
    wire [15:0] m_gap = gaps[m_index[15:0]];
    wire w_valid = w_active & w_waited + 32'd1 >= {17'd0, w_gap[14:0]};
    wire w_err = w_gap[15] | w_addr[31:21] != 11'h080;
    wire [31:0] w_data = wmem[w_addr[20:2]];
    wire m_gnt = m_req & m_waited >= {17'd0, m_gap[14:0]};
    wire m_err = m_gap[15] | m_addr[31:21] != 11'h100;

    tgemv #(
        .SLOTS(SLOTS), .SLOT_BITS(SLOT_BITS), .FIFO(FIFO), .FIFO_BITS(FIFO_BITS), .ENTRIES(ENTRIES), .ENTRY_BITS(ENTRY_BITS)
    ) dut (
        .clk(clk), .rst(rst), .s_sel(s_sel), .s_we(s_we), .s_addr(s_addr[7:2]), .s_wdata(s_wdata), .s_rdata(s_rdata), .irq(irq),
        .m_req(m_req), .m_we(m_we), .m_addr(m_addr), .m_wdata(m_wdata), .m_gnt(m_gnt), .m_err(m_err), .m_rdata(m_rdata),
        .w_active(w_active), .w_req(w_req), .w_addr(w_addr), .w_valid(w_valid), .w_err(w_err), .w_data(w_data)
    );

    // A request is held until it is granted, unless the unit stopped in that cycle: then it is idle in the next.
    reg        held = 1'b0;
    reg [31:0] held_addr = 0;

    // The host.
    integer file, got;
    reg [1023:0] name;
    reg [31:0] op, a, b, c, d;
    reg [31:0] cycle = 0;
    reg [31:0] left = 0;   // cycles or reads that an operation still takes
    reg [2:0]  doing = 0;  // what the running cycle is: an operation
    reg        over = 1'b0;

    integer i;
    initial begin
        for (i = 0; i < WORDS; i = i + 1) begin
            wmem[i] = 32'd0;
            mmem[i] = 32'd0;
        end
        if ($value$plusargs("wmem=%s", name)) $readmemh(name, wmem);
        if ($value$plusargs("mmem=%s", name)) $readmemh(name, mmem);
        if ($value$plusargs("gaps=%s", name)) $readmemh(name, gaps);
        if ($value$plusargs("vcd=%s", name)) begin
            $dumpfile(name);
            $dumpvars(0, dut);
        end
        file = 0;
        if ($value$plusargs("script=%s", name)) file = $fopen(name, "r");
        if (file == 0) begin
            $display("E no script");
            over = 1'b1;
        end
    end

    always @(posedge clk) begin
        // what this cycle brought
        if (rst) begin
            m_waited <= 0;
            w_waited <= 0;
            held     <= 1'b0;
        end else begin
            m_waited <= m_req & ~m_gnt ? m_waited + 32'd1 : 32'd0;
            w_waited <= w_active & ~(w_req & w_valid) ? w_waited + 32'd1 : 32'd0;
            if (w_req & w_valid) pushes <= pushes + 32'd1;
            if (m_gnt) grants <= grants + 32'd1;
            if (m_gnt & ~m_err) begin
                if (m_we) begin
                    mmem[m_addr[20:2]] <= m_wdata;
                    writes <= writes + 32'd1;
                end else begin
                    m_rdata <= mmem[m_addr[20:2]];
                    reads   <= reads + 32'd1;
                end
            end
            if (held & (~m_req | m_addr != held_addr) & dut.phase != 3'd0) $display("V %0d request dropped", cycle);
            held      <= m_req & ~m_gnt;
            held_addr <= m_addr;
        end
        if (doing == 3'd2) $display("R %0d %h %h", cycle, s_addr, s_rdata);
        cycle <= cycle + 32'd1;
        rst   <= 1'b0;

        // what the next one does
        if (over) $finish;
        else if (doing == 3'd3 && left != 0) left <= left - 32'd1;
        else if (doing == 3'd4 && s_rdata[0] && left != 0) left <= left - 32'd1;
        else begin
            if (doing == 3'd4) $display("%s %0d %0d", s_rdata[0] ? "T" : "I", cycle, irq);
            got = $fscanf(file, "%h %h %h %h %h", op, a, b, c, d);
            if (got != 5) op = 0;
            doing   <= op[2:0];
            s_sel   <= op == 1 || op == 2 || op == 4;
            s_we    <= op == 1;
            s_addr  <= op == 4 ? 8'h10 : a[7:0];
            s_wdata <= b;
            left    <= a - 32'd1;
            if (op == 5 || op == 0) begin
                $display("S %0d %0d %0d %0d", pushes, grants, reads, writes);
                pushes <= 0;
                grants <= 0;
                reads  <= 0;
                writes <= 0;
                rst    <= 1'b1;
                cycle  <= -1;
                wbase  <= a;
                wmask  <= b;
                mbase  <= c;
                mmask  <= d;
            end
            if (op == 0) begin
                over = 1'b1;
                if ($value$plusargs("dump=%s", name)) $writememh(name, mmem, 0, a);
            end
        end
    end
endmodule
