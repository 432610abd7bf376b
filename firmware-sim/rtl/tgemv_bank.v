// One of the five byte-wide banks of the activation buffer: column c lies in bank c % 5. Single port: activations are never loaded while they are used.
// `q` keeps its value without `read`.
module tgemv_bank #(
    parameter ENTRIES    = 2048,
    parameter ENTRY_BITS = 11
) (
    input  wire                  clk,
    input  wire                  read,
    input  wire                  write,
    input  wire [ENTRY_BITS-1:0] addr,
    input  wire [7:0]            d,
    output reg  [7:0]            q
);
    reg [7:0] mem[0:ENTRIES-1];

    always @(posedge clk) begin
        if (write) mem[addr] <= d;
        else if (read) q <= mem[addr];
    end
endmodule
