# The programs as they were built: what configure asks of compiler and linker (HARDENING_CFLAGS, HARDENING_LDFLAGS), as it
# stands in the binary. A build with a sanitizer or without optimisation is for tests, and lacks some of it.
use v5.36;

use Test::More;
use Roster::Tables;

sub output (@command) {
    open my $out, '-|', @command or return '';
    local $/ = undef;
    my $text = readline($out) // '';
    return close $out ? $text : '';
}

plan skip_all => 'there is no readelf, or no objdump: install binutils'
    if grep { output($_, '--version') eq '' } qw(readelf objdump);

my %made = Roster::Tables::slurp("$Roster::Tables::build/Makefile") =~ /^(\w+FLAGS) *= *(.*)$/mg;
my @compiling = map { split ' ' } grep { defined } @made{qw(CPPFLAGS HARDENING_CFLAGS SANITIZER_CFLAGS CFLAGS)};
my @linking = map { split ' ' } grep { defined } @made{qw(HARDENING_LDFLAGS LDFLAGS)};
my $is_optimised = 0;
/^-O(.*)/ and $is_optimised = $1 ne '0' for @compiling;
my $has_sanitizer = grep { /^-fsanitize=/ } @compiling;

# What the builder gave (as dpkg-buildflags does) is not given once more by configure.
for my $flags (\@compiling, \@linking) {
    my %count;
    $count{$_}++ for grep { /^-(?:f|m|Wl|D_FORTIFY_SOURCE|pie)/ } @$flags;
    is_deeply [grep { $count{$_} > 1 } sort keys %count], [], "each flag is given once: @$flags";
}

for my $name (qw(roster rosterctl)) {
    my $program = "$Roster::Tables::build/$name";
    my $header = output(qw(readelf -hW), $program);
    my @segments = split /\n/, output(qw(readelf -lW), $program);
    my $dynamic = output(qw(readelf -dW), $program);
    my ($machine) = $header =~ /^ *Machine: *(.*\S)/m;

    like $header, qr/^ *Type: *DYN /m, "$name: it can lie anywhere in memory (PIE)";
    like $dynamic, qr/\(FLAGS_1\).*\bPIE\b/, '... and says so';
    like $dynamic, qr/\(FLAGS_1\).*\bNOW\b/, '... all symbols are bound at its start';
    unlike $dynamic, qr/\(TEXTREL\)/, '... its code is not changed for that';
    unlike $dynamic, qr/\((?:RPATH|RUNPATH)\)/, '... it looks for libraries where the system does';
    ok scalar(grep { /^ *GNU_RELRO/ } @segments), '... what was bound is read-only then';
    my ($stack) = grep { /^ *GNU_STACK/ } @segments;
    like $stack // '', qr/ RW +0x/, '... its stack is not executable';
    my @loaded = grep { /^ *LOAD/ } @segments;
    cmp_ok scalar @loaded, '>=', 3, '... its segments were read';
    is_deeply [grep { / RWE / } @loaded], [], '... none of them is both writable and executable';
    is_deeply [grep { / R E / && / 0x0+ +0x0+ +0x0+ / } @loaded], [], '... code and data share no segment';

    my $symbols = output(qw(readelf --dyn-syms -W), $program);
    like $symbols, qr/ __stack_chk_fail\b/, '... its functions watch their frames (-fstack-protector)';
    SKIP: {
        skip 'not with a sanitizer, nor without optimisation', 1 if $has_sanitizer || !$is_optimised;
        like $symbols, qr/ __snprintf_chk\b/, '... the C library is told how large buffers are (_FORTIFY_SOURCE)';
        my ($level) = map { /^-D_FORTIFY_SOURCE=(\d+)/ } @compiling;
        cmp_ok $level // 0, '>=', 2, '... at a level of 2 or more';
    }

    my $code = output(qw(objdump -d --no-show-raw-insn), $program);
    my ($main) = $code =~ /^[0-9a-f]+ <main>:\n(.*?)\n\n/ms;
    SKIP: {
        skip "not on $machine", 2 if $machine !~ /X86-64/;
        like $main // '', qr/\A[^\n]*\bendbr64\b/, '... functions say that they may be jumped to (-fcf-protection)';
        like $code, qr/\borq +\$0x0,\(%rsp\)/, '... large frames touch each page (-fstack-clash-protection)';
    }
    SKIP: {
        skip "not on $machine", 1 if $machine !~ /AArch64/;
        like $main // '', qr/\b(?:paciasp|hint\s+#0x19)\b/, '... return addresses are signed (-mbranch-protection)';
    }
}

done_testing;
