// The other order of weights, for comparison: a beat is 20 columns of one row (../tgemv_core.v takes 5 columns of 4 rows). Eight rows share a chunk of 20
// activations:
//
//     tile of 8 rows -> plane -> chunk of 20 columns -> row: one beat, used for each vector slot in turn
//
// so that the buffer is read once for eight beats: a chunk of each slot lies in `current` while the next ones are read into `coming`, five bytes a cycle from the
// same five banks. Eight accumulators a slot instead of four; sums of the last chunk leave one a cycle, so there are no shadow registers but one word.
// Same interface as the core, where it has the same thing to say; entries are (chunk * slots + slot) * 4 + quarter.
`default_nettype none

module order_rows #(
    parameter SLOTS      = 4,
    parameter SLOT_BITS  = 2,
    parameter ENTRY_BITS = 11,
    parameter ACC_BITS   = 29
) (
    input  wire                  clk,
    input  wire                  flush,
    input  wire                  start,
    input  wire                  run,
    input  wire [15:0]           tiles,        // rows / 8, rounded up, less one
    input  wire [2:0]            planes,
    input  wire [3:0]            slots,
    input  wire [ENTRY_BITS-3:0] last_entry,   // / 4: last slot of the last chunk
    // beats
    input  wire                  full_head,
    input  wire [31:0]           head,
    output wire                  take,
    output wire [3:0]            bad,
    output reg  [4:0]            zeros,
    // activation buffer: x is that of the entry asked for in the cycle before
    output wire                  read,
    output wire [ENTRY_BITS-1:0] entry,
    input  wire [39:0]           x,
    // what the cycle was
    output wire                  issue,
    output wire                  no_beat,
    output wire                  blocked,
    output wire                  job_last,
    // one output a time: row and slot count up by themselves
    output reg                   out_full,
    output reg  [ACC_BITS-1:0]   out,
    input  wire                  drained
);
  wire [19:0] nonzero_in;
  wire [19:0] negative_in;
  reg  [19:0] nonzero;
  reg  [19:0] negative;
  reg         full;
  reg  [3:0]  slot;
  reg  [2:0]  row;
  reg         first_chunk, last_chunk;
  reg  [2:0]  plane;
  reg         first_plane;
  reg  [15:0] tile;
  // the add stage
  reg                  add, add_clear, add_triple, add_last;
  reg  [SLOT_BITS+2:0] add_at;
  reg  [12:0]          sum;
  reg                  carry;
  // chunks
  reg [159:0] current[0:SLOTS-1];
  reg [159:0] coming[0:SLOTS-1];
  reg         current_full, coming_full;
  reg         coming_last, coming_first;   // of the row
  reg [ENTRY_BITS-1:0] at;                 // entry to be read
  reg [3:0]   at_slot;
  reg         arrives, arrives_end;
  reg [SLOT_BITS-1:0] to_slot;
  reg [1:0]   to_quarter;

  wire slot_last  = slot + 4'd1 == slots;
  wire row_last   = row == 3'd7;
  wire plane_last = plane == 3'd0;
  wire last       = last_chunk & plane_last;

  wire hold = add & add_last & out_full & ~drained;  // the sum that is ready has nowhere to go

  assign no_beat  = run & current_full & ~full & ~hold;
  assign blocked  = run & hold;
  assign issue    = run & current_full & full & ~hold;
  assign job_last = issue & last & row_last & slot_last & tile == 16'd0;
  assign take     = full_head & run & (~full | (issue & slot_last & ~job_last));

  // Chunks are read ahead: four entries for each slot.
  wire swap = coming_full & (~current_full | (issue & slot_last & row_last));
  assign read  = run & ~coming_full & ~arrives_end;
  assign entry = at;
  wire quarter_end = at[1:0] == 2'd3;
  wire slot_end    = at_slot + 4'd1 == slots;

  integer i;
  always @* begin
    zeros = 5'd0;
    for (i = 0; i < 20; i = i + 1) zeros = zeros + {4'd0, ~nonzero_in[i]};
  end

  genvar b;
  generate
    for (b = 0; b < 4; b = b + 1) begin : bytes
      tgemv_decode decode (.code(head[8*b+:8]), .nonzero(nonzero_in[5*b+:5]), .negative(negative_in[5*b+:5]), .bad(bad[b]));
    end
  endgenerate

  // One tree of 20: the numbers of ../tgemv_tree.v, four of them, added.
  wire [159:0] chunk = current[slot[SLOT_BITS-1:0]];
  wire signed [10:0] part[0:3];
  wire [3:0] carries;
  generate
    for (b = 0; b < 4; b = b + 1) begin : trees
      tgemv_tree tree (.x(chunk[40*b+:40]), .nonzero(nonzero[5*b+:5]), .negative(negative[5*b+:5]), .sum(part[b]), .carry(carries[b]));
    end
  endgenerate
  wire signed [11:0] left    = {part[0][10], part[0]} + {part[1][10], part[1]} + {11'd0, carries[0]};
  wire signed [11:0] right   = {part[2][10], part[2]} + {part[3][10], part[3]} + {11'd0, carries[1]};
  wire signed [12:0] sum_in  = {left[11], left} + {right[11], right} + {12'd0, carries[2]};

  reg  [ACC_BITS-1:0] acc[0:8*SLOTS-1];
  wire [ACC_BITS-1:0] old  = add_clear ? {ACC_BITS{1'b0}} : acc[add_at];
  wire [ACC_BITS-1:0] base = add_triple ? old + {old[ACC_BITS-2:0], 1'b0} : old;
  wire [ACC_BITS-1:0] next = base + {{(ACC_BITS - 13) {sum[12]}}, sum} + {{(ACC_BITS - 1) {1'b0}}, carry};

  integer s;
  always @(posedge clk) begin
    if (flush | start) begin
      full         <= 1'b0;
      slot         <= 4'd0;
      row          <= 3'd0;
      plane        <= planes - 3'd1;
      first_plane  <= 1'b1;
      tile         <= tiles;
      add          <= 1'b0;
      out_full     <= 1'b0;
      current_full <= 1'b0;
      coming_full  <= 1'b0;
      coming_first <= 1'b1;
      at           <= {ENTRY_BITS{1'b0}};
      at_slot      <= 4'd0;
      arrives      <= 1'b0;
      arrives_end  <= 1'b0;
    end else begin
      if (take) full <= 1'b1;
      else if (issue & slot_last) full <= 1'b0;
      if (issue) begin
        slot <= slot_last ? 4'd0 : slot + 4'd1;
        if (slot_last) row <= row + 3'd1;
        if (slot_last & row_last & last_chunk) begin
          plane       <= plane_last ? planes - 3'd1 : plane - 3'd1;
          first_plane <= plane_last;
          if (plane_last) tile <= tile - 16'd1;
        end
      end
      add <= issue | hold;
      if (add & add_last) out_full <= 1'b1;
      else if (drained) out_full <= 1'b0;

      if (swap) begin
        current_full <= 1'b1;
        first_chunk  <= coming_first;
        last_chunk   <= coming_last;
        coming_first <= coming_last;
        coming_full  <= 1'b0;
      end else begin
        if (issue & slot_last & row_last) current_full <= 1'b0;
        if (arrives_end) coming_full <= 1'b1;
      end
      arrives     <= read;
      arrives_end <= read & quarter_end & slot_end;
      if (read) begin
        at <= at == {last_entry, 2'd3} ? {ENTRY_BITS{1'b0}} : at + {{(ENTRY_BITS - 1) {1'b0}}, 1'b1};
        if (quarter_end) at_slot <= slot_end ? 4'd0 : at_slot + 4'd1;
        coming_last <= at[ENTRY_BITS-1:2] == last_entry;
      end
    end
    to_slot    <= at_slot[SLOT_BITS-1:0];
    to_quarter <= at[1:0];
    if (arrives) coming[to_slot][40*to_quarter+:40] <= x;
    if (swap) for (s = 0; s < SLOTS; s = s + 1) current[s] <= coming[s];
    if (take) begin
      nonzero  <= nonzero_in;
      negative <= negative_in;
    end
    if (issue) begin
      sum        <= sum_in;
      carry      <= carries[3];
      add_at     <= {row, slot[SLOT_BITS-1:0]};
      add_clear  <= first_chunk & first_plane;
      add_triple <= first_chunk & ~first_plane;
      add_last   <= last;
    end
    if (add & ~add_last) acc[add_at] <= next;
    if (add & add_last & ~hold) out <= next;
  end
endmodule
