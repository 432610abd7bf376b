// Runs order_rows.v on the weights of beats.hex and the activations of entries.hex (40 bits each) and prints each output, in hexadecimal, in the order in which they leave.
// Beats come and outputs go at random. At the end the cycles, the cycles with work and the reads of the buffer. scripts/rtl/gates/orders.ts compares.
`default_nettype none
`timescale 1ns / 1ns
module bench_rows;
  parameter SLOTS = 4;
  parameter SLOT_BITS = 2;
  parameter PLANES = 1;
  parameter TILES = 1;
  parameter USED = 1;    // slots
  parameter ENTRIES = 4;
  parameter BEATS = 8;
  parameter SEED = 1;    // 0: beats are always there, outputs always leave
  localparam ACC_BITS = 29;
  reg clk = 0, start = 1, run = 0;
  reg [31:0] beats[0:BEATS-1];
  reg [39:0] entries[0:ENTRIES-1];
  reg [39:0] x;
  integer at = 0, cycles = 0, issues = 0, reads = 0, random;
  reg there = 0, leaves = 0;
  wire take, read, issue, no_beat, blocked, job_last, out_full;
  wire [10:0] entry;
  wire [3:0] bad;
  wire [4:0] zeros;
  wire [ACC_BITS-1:0] out;
  wire drained = out_full & leaves;
  integer outputs = 0;
  order_rows #(.SLOTS(SLOTS), .SLOT_BITS(SLOT_BITS), .ACC_BITS(ACC_BITS)) dut (
      .clk(clk), .flush(1'b0), .start(start), .run(run), .tiles(TILES[15:0] - 16'd1), .planes(PLANES[2:0]), .slots(USED[3:0]),
      .last_entry(ENTRIES[10:2] - 9'd1), .full_head(there & at < BEATS), .head(beats[at % BEATS]), .take(take), .bad(bad), .zeros(zeros),
      .read(read), .entry(entry), .x(x), .issue(issue), .no_beat(no_beat), .blocked(blocked), .job_last(job_last),
      .out_full(out_full), .out(out), .drained(drained));
  always #1 clk = ~clk;
  initial begin
    $readmemh("beats.hex", beats);
    $readmemh("entries.hex", entries);
    random = SEED;
  end
  always @(posedge clk) begin
    start <= 0;
    run <= start | (run & ~job_last);
    if (read) x <= entries[entry];
    if (take) at <= at + 1;
    if (run) cycles <= cycles + 1;
    if (issue) issues <= issues + 1;
    if (read) reads <= reads + 1;
    there <= SEED == 0 || ($random(random) & 3) != 0;
    leaves <= SEED == 0 || ($random(random) & 3) != 0;
    if (drained) begin
      $display("%h", out);
      outputs <= outputs + 1;
    end
    if (outputs == 8 * TILES * USED) begin
      $display("%0d %0d %0d", cycles, issues, reads);
      $finish;
    end
    if (cycles > 1000000 || bad != 0) begin
      $display("stuck");
      $finish;
    end
  end
endmodule
