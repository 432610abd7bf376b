// Performance counters: every busy cycle is in exactly one of setup, astall, issue, wstall, ostall, drain.
module tgemv_counters (
    input  wire        clk,
    input  wire        clear,
    input  wire        enable,
    input  wire [2:0]  phase,
    input  wire        issue,
    input  wire        no_beat,
    input  wire        blocked,
    input  wire        take,
    input  wire        take_good,
    input  wire [4:0]  zeros,
    input  wire        push,
    input  wire        job_done,
    input  wire [3:0]  index,  // of the word that is read: (offset - 0x80) / 4
    output reg  [31:0] value
);
    localparam IDLE = 3'd0, FETCH = 3'd1, CHECK = 3'd2, LOAD = 3'd3, PRIME = 3'd4, DRAIN = 3'd6;

    reg [63:0] cycles;
    reg [31:0] beats;
    reg [31:0] wstall;
    reg [31:0] astall;
    reg [29:0] pushes;
    reg [31:0] jobs;
    reg [31:0] zero_trits;
    reg [31:0] ostall;
    reg [31:0] issues;
    reg [31:0] setup;
    reg [31:0] drain;

    always @(posedge clk) begin
        if (clear) begin
            cycles     <= 64'd0;
            beats      <= 32'd0;
            wstall     <= 32'd0;
            astall     <= 32'd0;
            pushes     <= 30'd0;
            jobs       <= 32'd0;
            zero_trits <= 32'd0;
            ostall     <= 32'd0;
            issues     <= 32'd0;
            setup      <= 32'd0;
            drain      <= 32'd0;
        end else if (enable) begin
            if (phase != IDLE) cycles <= cycles + 64'd1;
            if (take) beats <= beats + 32'd1;
            if (no_beat) wstall <= wstall + 32'd1;
            if (phase == LOAD | phase == PRIME) astall <= astall + 32'd1;
            if (push) pushes <= pushes + 30'd1;
            if (job_done) jobs <= jobs + 32'd1;
            if (take_good) zero_trits <= zero_trits + {27'd0, zeros};
            if (blocked) ostall <= ostall + 32'd1;
            if (issue) issues <= issues + 32'd1;
            if (phase == FETCH | phase == CHECK) setup <= setup + 32'd1;
            if (phase == DRAIN) drain <= drain + 32'd1;
        end
    end

    always @* begin
        case (index)
            4'd0: value = {31'd0, enable};
            4'd1: value = cycles[31:0];
            4'd2: value = cycles[63:32];
            4'd3: value = beats;
            4'd4: value = wstall;
            4'd5: value = astall;
            4'd6: value = {pushes, 2'b00};
            4'd7: value = jobs;
            4'd8: value = zero_trits;
            4'd9: value = ostall;
            4'd10: value = issues;
            4'd11: value = setup;
            4'd12: value = drain;
            default: value = 32'd0;
        endcase
    end
endmodule
