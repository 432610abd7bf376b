// TGEMV: the ternary matrix-vector unit of spec/TGEMV.md. One clock, synchronous reset.
//
//                 +-----------------------------------------------------------------+
//     s_* ------->| regs --> control (fetch, check, phases, errors)                  |---> irq
//                 |                  |                                               |
//     w_* <------>| weights: FIFO ---|--> core: 4 decoders, 4 trees, accumulators    |
//                 |                  |      ^                        |               |
//     m_* <------>| load ----> 5 banks -----+               shadow -> writer --> m_* |
//                 +-----------------------------------------------------------------+
//
//     s_*   registers: sel, we, addr, wdata; rdata in the same cycle
//     m_*   SRAM: a request is held until gnt; read data come in the cycle after gnt; err with gnt: the address is refused
//     w_*   weights: see tgemv_weights.v
module tgemv #(
    parameter SLOTS      = 4,     // 1..8 vectors in one pass; wide ones take two
    parameter SLOT_BITS  = 2,     // to number them, 1 at least
    parameter FIFO       = 8,     // beats, 1 << FIFO_BITS
    parameter FIFO_BITS  = 3,
    parameter ENTRIES    = 2048,  // of the activation buffer, 1 << ENTRY_BITS
    parameter ENTRY_BITS = 11,
    parameter ACC_BITS   = 29     // 128 * 5 * ENTRIES * 121 (five planes) must fit
) (
    input  wire        clk,
    input  wire        rst,
    input  wire        s_sel,
    input  wire        s_we,
    input  wire [7:2]  s_addr,   // whole words
    input  wire [31:0] s_wdata,
    output wire [31:0] s_rdata,
    output wire        irq,
    output wire        m_req,
    output wire        m_we,
    output wire [31:0] m_addr,
    output wire [31:0] m_wdata,
    input  wire        m_gnt,
    input  wire        m_err,
    input  wire [31:0] m_rdata,
    output wire        w_active,
    output wire        w_req,
    output wire [31:0] w_addr,
    input  wire        w_valid,
    input  wire        w_err,
    input  wire [31:0] w_data
);
    localparam [2:0] LOAD = 3'd3, PRIME = 3'd4, RUN = 3'd5;

    wire clear, abort, start, bell, accept, accept_load, stop, job_done, chain_done, error;
    wire [2:0]  phase;
    wire [3:0]  error_code;
    wire [31:0] error_info, desc;
    wire [31:0] next, waddr, wbytes, aaddr, oaddr, dims, mode, strides;
    wire [3:0]  slots, vectors;
    wire        wide;
    wire        fetched;
    wire [3:0]  fetched_index;
    wire        count_enable, count_clear;
    wire [3:0]  count_index;
    wire [31:0] count_value;
    wire        f_req, l_req, o_req;
    wire [29:0] f_word, l_word, o_word;
    wire        load_done, load_bad;
    wire [31:0] load_bad_info;
    wire [4:0]  load_write;
    wire [5*ENTRY_BITS-1:0] load_entry;
    wire [39:0] load_data;
    wire [ENTRY_BITS-1:0] last_group;
    wire        push, w_refused, take, full_head, over;
    wire [31:0] head;
    wire [29:0] head_word;
    wire [3:0]  code_bad;
    wire [4:0]  zeros;
    wire        read;
    wire [ENTRY_BITS-1:0] entry;
    wire [39:0] x;
    wire        issue, no_beat, blocked, job_last;
    wire        shadow_full, drained;
    wire [2:0]  shadow_rows;
    wire [SLOTS*4*ACC_BITS-1:0] shadow;

    wire flush = clear | stop;
    assign vectors = mode[11:8];
    assign wide    = mode[16];

    // One of the three asks at a time: fetch and load precede the run, outputs follow it.
    assign m_req  = f_req | l_req | o_req;
    assign m_we   = o_req;
    assign m_addr = {o_req ? o_word : l_req ? l_word : f_word, 2'b00};
    wire m_ok      = m_gnt & ~m_err;
    wire m_refused = m_req & m_gnt & m_err;

    tgemv_regs #(
        .SLOTS(SLOTS),
        .FIFO(FIFO),
        .ENTRIES(ENTRIES),
        .ACC_BITS(ACC_BITS)
    ) regs (
        .clk(clk), .rst(rst),
        .s_sel(s_sel), .s_we(s_we), .s_addr(s_addr), .s_wdata(s_wdata), .s_rdata(s_rdata), .irq(irq),
        .clear(clear), .abort(abort), .start(start), .bell(bell),
        .phase(phase), .desc(desc), .fetched(fetched), .fetched_index(fetched_index), .fetched_data(m_rdata),
        .job_done(job_done), .chain_done(chain_done), .error(error), .error_code(error_code), .error_info(error_info),
        .next(next), .waddr(waddr), .wbytes(wbytes), .aaddr(aaddr), .oaddr(oaddr), .dims(dims), .mode(mode), .strides(strides),
        .count_enable(count_enable), .count_clear(count_clear), .count_index(count_index), .count_value(count_value)
    );

    tgemv_control #(
        .SLOTS(SLOTS),
        .ENTRIES(ENTRIES)
    ) control (
        .clk(clk), .clear(clear), .abort(abort), .start(start), .bell(bell), .bell_addr(s_wdata), .phase(phase), .desc(desc),
        .next(next), .waddr(waddr), .wbytes(wbytes), .aaddr(aaddr), .oaddr(oaddr), .dims(dims), .mode(mode), .slots(slots),
        .fetched(fetched), .fetched_index(fetched_index),
        .m_req(f_req), .m_word(f_word), .m_gnt(m_ok), .m_rdata(m_rdata), .m_refused(m_refused), .m_addr(m_addr),
        .load_done(load_done), .load_bad(load_bad), .load_bad_info(load_bad_info),
        .w_refused(w_refused), .w_addr(w_addr), .take(take), .code_bad(code_bad), .head_word(head_word), .no_beat(no_beat), .over(over),
        .job_last(job_last), .drained(drained),
        .accept(accept), .accept_load(accept_load), .stop(stop), .job_done(job_done), .chain_done(chain_done),
        .error(error), .error_code(error_code), .error_info(error_info)
    );

    tgemv_counters counters (
        .clk(clk), .clear(count_clear), .enable(count_enable), .phase(phase), .issue(issue), .no_beat(no_beat), .blocked(blocked),
        .take(take), .take_good(take & ~(|code_bad)), .zeros(zeros), .push(push), .job_done(job_done),
        .index(count_index), .value(count_value)
    );

    tgemv_load #(
        .ENTRY_BITS(ENTRY_BITS)
    ) load (
        .clk(clk), .start(accept_load), .active(phase == LOAD), .cols(dims[15:0]), .vectors(vectors), .wide(wide), .slots(slots),
        .first(aaddr[31:2]), .stride(strides[15:0]),
        .m_req(l_req), .m_word(l_word), .m_gnt(m_ok), .m_rdata(m_rdata),
        .done(load_done), .bad(load_bad), .bad_info(load_bad_info), .last_group(last_group),
        .write(load_write), .addr(load_entry), .data(load_data)
    );

    genvar b;
    generate
        for (b = 0; b < 5; b = b + 1) begin : banks
            wire loads = phase == LOAD & load_write[b];
            tgemv_bank #(
                .ENTRIES(ENTRIES),
                .ENTRY_BITS(ENTRY_BITS)
            ) bank (
                .clk(clk), .read(read), .write(loads),
                .addr(loads ? load_entry[b*ENTRY_BITS+:ENTRY_BITS] : entry), .d(load_data[8*b+:8]), .q(x[8*b+:8])
            );
        end
    endgenerate

    tgemv_weights #(
        .FIFO(FIFO),
        .FIFO_BITS(FIFO_BITS)
    ) weights (
        .clk(clk), .flush(flush), .start(accept), .first(waddr[31:2]), .beats(wbytes[31:2]),
        .w_active(w_active), .w_req(w_req), .w_addr(w_addr), .w_valid(w_valid), .w_err(w_err), .w_data(w_data),
        .push(push), .refused(w_refused), .take(take), .full_head(full_head), .head(head), .head_word(head_word), .over(over)
    );

    tgemv_core #(
        .SLOTS(SLOTS),
        .SLOT_BITS(SLOT_BITS),
        .ENTRY_BITS(ENTRY_BITS),
        .ACC_BITS(ACC_BITS)
    ) core (
        .clk(clk), .flush(flush), .start(accept), .prime(phase == PRIME), .run(phase == RUN),
        .rows(dims[31:16]), .planes(mode[2:0]), .slots(slots), .last_group(last_group),
        .full_head(full_head), .head(head), .take(take), .bad(code_bad), .zeros(zeros),
        .read(read), .entry(entry), .x(x),
        .issue(issue), .no_beat(no_beat), .blocked(blocked), .job_last(job_last),
        .shadow_full(shadow_full), .shadow_rows(shadow_rows), .shadow(shadow), .drained(drained)
    );

    tgemv_writer #(
        .SLOTS(SLOTS),
        .ACC_BITS(ACC_BITS)
    ) writer (
        .clk(clk), .start(accept), .first(oaddr[31:2]), .stride(strides[31:16]), .vectors(vectors), .wide(wide),
        .full(shadow_full), .rows(shadow_rows), .shadow(shadow),
        .m_req(o_req), .m_word(o_word), .m_wdata(m_wdata), .m_gnt(m_ok), .drained(drained)
    );
endmodule
