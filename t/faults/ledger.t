# The program that judges a history (Roster::Ledger): it finds each kind of wrong answer, and nothing in a history that an
# order of commits explains.
use v5.36;

use Test::More;
use Roster::Ledger;

# Lines as clients write them, from: what, register, value, begin, end, and status or kind where they are not the usual.
sub line ($what, $register, $value, $begin, $end, %more) {
    return [$what, $register, $value, $begin, $end, $more{status} // 200, $more{kind} // 'request'];
}

# The kinds of what is wrong, and when.
sub verdict (@lines) {
    return join ' ', map { "$_->{kind}\@$_->{at}" } Roster::Ledger::check(\@lines);
}

my @write = (line(W => 'a', 'x', 1, 2), line(W => 'a', 'y', 5, 6));
is verdict(@write), '', 'two writes';
is verdict(@write, line(R => 'a', 'x', 3, 4), line(R => 'a', 'y', 7, 8)), '', 'read in their order';
is verdict(@write, line(R => 'a', 0, 0.1, 1.5), line(R => 'a', 'y', 5.1, 5.2)), '', 'while they were being written';
is verdict(@write, line(R => 'a', 'x', 7, 8)), 'stale@8', 'an old value';
is verdict(@write, line(R => 'a', 0, 3, 4)), 'stale@4', 'the first of all';
is verdict(@write, line(R => 'a', 'y', 5.1, 5.2), line(R => 'a', 'x', 5.3, 5.4)), 'stale@5.4', 'reading backwards';
is verdict(@write, line(R => 'a', 'z', 7, 8)), 'stale@8', 'a value that nobody wrote';
is verdict(@write, line(R => 'a', 'y', 3, 4)), 'stale@4', 'one from the future';
is verdict(@write, line(R => 'a', 'x', 9, 9, kind => 'truth')), 'lost@6', 'the last write is not there';
is verdict(@write, line(R => 'a', 'y', 9, 9, kind => 'truth')), '', 'it is';

my @unknown = (line(W => 'a', 'x', 1, 2), line(W => 'a', 'y', 5, 6, status => 503));
is verdict(@unknown, line(R => 'a', $_, 9, 9, kind => 'truth')), '', "a write without an answer: $_" for 'x', 'y';
is verdict(@unknown, line(R => 'a', 'y', 7, 8), line(R => 'a', 'x', 9, 10)), 'stale@10', 'once seen, it stays';
is verdict(@unknown, line(R => 'a', 0, 7, 8)), 'stale@8', 'what was before both is gone';

my @both = (line(W => 'a', 'x', 1, 9), line(W => 'a', 'y', 2, 8));
is verdict(@both, line(R => 'a', 'x', 10, 11)), '', 'two at once, in this order';
is verdict(@both, line(R => 'a', 'y', 10, 11)), '', 'or in the other';
is verdict(@both, line(R => 'a', 'x', 10, 11), line(R => 'a', 'y', 12, 13)), 'stale@13', 'but not in both';

is verdict(@write, line(N => 'a', 'x', 0, 9)), '', 'not found before it was there';
is verdict(@write, line(R => 'a', 'x', 2, 2.1), line(R => 'a', 'x', 4, 4.1), line(N => 'a', 'x', 3, 3.5)), 'stale@3.5',
    'not found while it was';

# One writer: 1 is odd, 2 even.
my @series = (line(W => 's', 1, 1, 2), line(W => 's', 2, 5, 6));
is verdict(@series, line(P => 's', 0, 0, 0.5), line(P => 's', 1, 3, 4), line(P => 's', 0, 7, 8)), '', 'odd and even';
is verdict(@series, line(P => 's', 0, 3, 4)), 'stale@4', 'even, where 1 was acknowledged';
is verdict(@series, line(P => 's', 1, 7, 8)), 'stale@8', 'odd, where 2 was';
is verdict(@series, line(P => 's', 0, 5.1, 5.2), line(P => 's', 1, 5.3, 5.4)), 'stale@5.4', 'odd, where 2 was read';
is verdict(@series, line(P => 's', 1, 9, 9, kind => 'truth')), 'lost@6', 'odd at the end';

# Histories of a register that is one: none of them is doubted. Each operation takes place at a moment within its time.
srand 1;
for my $round (1 .. 200) {
    my @operations;
    for my $number (1 .. 40) {
        my $at = rand 10;
        my $is_write = rand() < 0.4;
        push @operations,
            {
            at => $at,
            value => "v$number",
            line => line(
                $is_write ? 'W' : 'R',
                'r', "v$number",
                $at - rand 1,
                $at + rand 1,
                status => $is_write && rand() < 0.2 ? 503 : 200
            )
            };
    }
    my $value = 0;
    for my $operation (sort { $a->{at} <=> $b->{at} } @operations) {
        if ($operation->{line}[0] eq 'R') { $operation->{line}[2] = $value }
        elsif ($operation->{line}[5] == 200 || rand() < 0.5) { $value = $operation->{value} }
    }
    my $verdict = verdict(map { $_->{line} } @operations);
    is $verdict, '', "history $round" if $verdict ne '' || $round == 200;
}

done_testing;
