// The lanes: a beat is taken from the FIFO, decoded into a register and used for each vector slot in turn, one cycle a slot.
//
//     take   FIFO head -> decoders -> beat register
//     issue  beat register, activations of (group, slot) -> four trees -> sum registers; the buffer reads the next entry
//     add    sum registers -> accumulators of the slot; those of a block's last beat go to the shadow registers instead
//
// The first group of a block begins from zero, that of each further plane from three times the accumulator (Horner).
// A block is 4 rows: for each plane, for each group, one beat.
module tgemv_core #(
    parameter SLOTS      = 4,
    parameter SLOT_BITS  = 2,
    parameter ENTRY_BITS = 11,
    parameter ACC_BITS   = 29
) (
    input  wire                  clk,
    input  wire                  flush,
    input  wire                  start,
    input  wire                  prime,
    input  wire                  run,
    input  wire [15:0]           rows,
    input  wire [2:0]            planes,
    input  wire [3:0]            slots,
    input  wire [ENTRY_BITS-1:0] last_group,
    // beats
    input  wire                  full_head,
    input  wire [31:0]           head,
    output wire                  take,
    output wire [3:0]            bad,        // bytes of the beat taken that are no code
    output reg  [4:0]            zeros,      // zero trits of the beat taken
    // activation buffer
    output wire                  read,
    output wire [ENTRY_BITS-1:0] entry,
    input  wire [39:0]           x,
    // what the cycle was
    output wire                  issue,
    output wire                  no_beat,
    output wire                  blocked,
    output wire                  job_last,   // the job's last issue
    // outputs of a block
    output reg                                shadow_full,
    output reg  [2:0]                         shadow_rows,
    output wire [SLOTS*4*ACC_BITS-1:0]        shadow,
    input  wire                               drained
);
    wire [19:0] nonzero_in;
    wire [19:0] negative_in;
    reg  [19:0] nonzero;
    reg  [19:0] negative;
    reg         full;       // the beat register holds a beat
    reg  [3:0]  slot;
    reg  [ENTRY_BITS-1:0] at;
    reg         first_group;
    reg         last_group_q;
    reg  [2:0]  plane;      // counts down
    reg         first_plane;
    reg  [15:0] rows_left;
    // the add stage
    reg                  add;
    reg  [SLOT_BITS-1:0] add_slot;
    reg                  add_clear;
    reg                  add_triple;
    reg                  add_last;
    reg                  add_end;
    reg  [2:0]           add_rows;

    wire slot_last  = slot + 4'd1 == slots;
    wire group_last = slot == 4'd0 ? at == last_group : last_group_q;
    wire plane_last = plane == 3'd0;
    wire block_last = group_last & plane_last;
    wire block_end  = block_last & slot_last;

    assign blocked  = run & full & block_last & slot == 4'd0 & (shadow_full | (add & add_last));
    assign no_beat  = run & ~full;
    assign issue    = run & full & ~blocked;
    assign job_last = issue & block_end & rows_left <= 16'd4;
    assign take     = full_head & (prime | run) & (~full | (issue & slot_last & ~job_last));

    wire [ENTRY_BITS-1:0] next_entry = group_last & slot_last ? {ENTRY_BITS{1'b0}} : at + {{(ENTRY_BITS - 1) {1'b0}}, 1'b1};
    assign read  = prime | issue;
    assign entry = prime ? {ENTRY_BITS{1'b0}} : next_entry;

    integer i;
    always @* begin
        zeros = 5'd0;
        for (i = 0; i < 20; i = i + 1) zeros = zeros + {4'd0, ~nonzero_in[i]};
    end

    genvar r;
    generate
        for (r = 0; r < 4; r = r + 1) begin : row
            wire [10:0]         sum_in;
            wire                carry_in;
            reg  [10:0]         sum;
            reg                 carry;
            reg  [ACC_BITS-1:0] acc[0:SLOTS-1];
            reg  [ACC_BITS-1:0] out[0:SLOTS-1];

            tgemv_decode decode (
                .code(head[8*r+:8]),
                .nonzero(nonzero_in[5*r+:5]),
                .negative(negative_in[5*r+:5]),
                .bad(bad[r])
            );
            tgemv_tree tree (
                .x(x),
                .nonzero(nonzero[5*r+:5]),
                .negative(negative[5*r+:5]),
                .sum(sum_in),
                .carry(carry_in)
            );

            wire [ACC_BITS-1:0] old  = add_clear ? {ACC_BITS{1'b0}} : acc[add_slot];
            wire [ACC_BITS-1:0] base = add_triple ? old + {old[ACC_BITS-2:0], 1'b0} : old;
            wire [ACC_BITS-1:0] next = base + {{(ACC_BITS - 11) {sum[10]}}, sum} + {{(ACC_BITS - 1) {1'b0}}, carry};

            always @(posedge clk) begin
                if (issue) begin
                    sum   <= sum_in;
                    carry <= carry_in;
                end
                if (add & ~add_last) acc[add_slot] <= next;
                if (add & add_last) out[add_slot] <= next;
            end

            genvar s;
            for (s = 0; s < SLOTS; s = s + 1) begin : outs
                assign shadow[(s*4+r)*ACC_BITS+:ACC_BITS] = out[s];
            end
        end
    endgenerate

    always @(posedge clk) begin
        if (flush | start) begin
            full         <= 1'b0;
            slot         <= 4'd0;
            at           <= {ENTRY_BITS{1'b0}};
            first_group  <= 1'b1;
            plane        <= planes - 3'd1;
            first_plane  <= 1'b1;
            rows_left    <= rows;
            add          <= 1'b0;
            shadow_full  <= 1'b0;
        end else begin
            if (take) full <= 1'b1;
            else if (issue & slot_last) full <= 1'b0;
            if (issue) begin
                at           <= next_entry;
                slot         <= slot_last ? 4'd0 : slot + 4'd1;
                last_group_q <= group_last;
                if (slot_last) first_group <= group_last;
                if (slot_last & group_last) begin
                    plane       <= plane_last ? planes - 3'd1 : plane - 3'd1;
                    first_plane <= plane_last;
                    if (plane_last) rows_left <= rows_left - 16'd4;
                end
            end
            add <= issue;
            if (add & add_last & add_end) begin
                shadow_full <= 1'b1;
                shadow_rows <= add_rows;
            end else if (drained) shadow_full <= 1'b0;
        end
        if (take) begin
            nonzero  <= nonzero_in;
            negative <= negative_in;
        end
        if (issue) begin
            add_slot   <= slot[SLOT_BITS-1:0];
            add_clear  <= first_group & first_plane;
            add_triple <= first_group & ~first_plane;
            add_last   <= block_last;
            add_end    <= slot_last;
            add_rows   <= rows_left >= 16'd4 ? 3'd4 : rows_left[2:0];
        end
    end
endmodule
