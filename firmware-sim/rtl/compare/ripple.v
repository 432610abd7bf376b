// For yosys: carries of adders ripple (smallest), instead of its own Brent-Kung tree. All designs are counted with it.
(* techmap_celltype = "$lcu" *)
module ripple_lcu (
    input [WIDTH-1:0] P,
    input [WIDTH-1:0] G,
    input CI,
    output [WIDTH-1:0] CO
);
  parameter WIDTH = 2;
  genvar i;
  generate
    for (i = 0; i < WIDTH; i = i + 1) begin : bits
      if (i == 0) assign CO[0] = G[0] | (P[0] & CI);
      else assign CO[i] = G[i] | (P[i] & CO[i-1]);
    end
  endgenerate
endmodule
