# Roster::History: what many clients write and read at once, and whether each reading can be explained.
#
# A register is something that one client alone changes, again and again: its values are 0, 1, 2, … in the order of the
# commits. A reading is good where its value is not older than what was written, or read by anybody, before it was asked
# for, and not newer than what was being written when its answer came. So nobody ever reads backwards.
#
#   my $history = Roster::History->new($file, registers => [qw(name role)], clients => 4);
#   $history->begin(name => 1); ... $history->end(name => 1);     # by who writes
#   my $reading = $history->ask(3, 'name'); ... my $fault = $history->answered($reading, $value);
#
# All processes that were forked since share it, through the file.
package Roster::History;
use v5.36;

my ($BEGUN, $ENDED, $WRITES, $READS, $SEEN) = 0 .. 4;

sub new ($class, $file, %options) {
    my @names = @{$options{registers}};
    my $width = $SEEN + $options{clients};
    my $self = bless {file => $file, width => $width, clients => $options{clients}, number => {}}, $class;
    @{$self->{number}}{@names} = 0 .. $#names;
    open my $out, '>', $file or die "$file: $!\n";
    print {$out} pack('q', 0) x ($width * @names);
    close $out;
    return $self;
}

# The file, opened by this process.
sub handle ($self) {
    return $self->{handle}{$$} //= do {
        open my $handle, '+<:raw', $self->{file} or die "$self->{file}: $!\n";
        $handle;
    };
}

sub set ($self, $register, $column, $value) {
    my $handle = $self->handle;
    sysseek $handle, 8 * ($self->{width} * $self->{number}{$register} + $column), 0;
    syswrite $handle, pack('q', $value);
    return;
}

sub columns ($self, $register) {
    my $handle = $self->handle;
    sysseek $handle, 8 * $self->{width} * $self->{number}{$register}, 0;
    sysread $handle, my $bytes, 8 * $self->{width};
    return unpack 'q*', $bytes;
}

# ---- Writing ----

sub begin ($self, $register, $value) { return $self->set($register, $BEGUN, $value) }

# It is written, for all that anybody can know.
sub end ($self, $register, $value) {
    $self->set($register, $ENDED, $value);
    $self->set($register, $WRITES, ($self->columns($register))[$WRITES] + 1);
    return;
}

# ---- Reading ----

# Before a question is sent, by a client, whose number counts from 0.
sub ask ($self, $client, $register) {
    my @columns = $self->columns($register);
    my ($ended, @seen) = @columns[$ENDED, $SEEN .. $#columns];
    my $low = $ended;
    for my $value (@seen) { $low = $value if $value > $low }
    return {client => $client, register => $register, ended => $ended, low => $low};
}

# After its answer has come. What cannot be explained, as text; else undef.
sub answered ($self, $reading, $value) {
    my ($client, $register, $low) = @$reading{qw(client register low)};
    my @columns = $self->columns($register);
    $self->set($register, $READS, $columns[$READS] + 1);    # about: others count, too
    $self->set($register, $SEEN + $client, $value) if $value > $columns[$SEEN + $client];
    return undef if $value >= $low && $value <= $columns[$BEGUN];
    return "$register: $value was read, when $low was known before and $columns[$BEGUN] was being written";
}

# The same where only whether the value is odd can be read.
sub answered_bit ($self, $reading, $is_odd) {
    my ($register, $ended) = @$reading{qw(register ended)};
    my @columns = $self->columns($register);
    $self->set($register, $READS, $columns[$READS] + 1);
    return undef if $columns[$BEGUN] > $ended || $ended % 2 == ($is_odd ? 1 : 0);
    return "$register: " . ($is_odd ? 'odd' : 'even') . " was read, when $ended was written, and nothing else begun";
}

sub count_of_writes ($self, $register) { return ($self->columns($register))[$WRITES] }
sub count_of_reads ($self, $register) { return ($self->columns($register))[$READS] }
sub last_of ($self, $register) { return ($self->columns($register))[$ENDED] }

1;
