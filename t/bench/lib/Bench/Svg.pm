# Bench::Svg: drawings with lines over two axes, as SVG.
#
# A chart: {title, x, y, lines}. x and y: {label, ticks => [[VALUE, TEXT], ...], is_linear}, from the first tick to the
# last one; logarithmic, unless is_linear says otherwise.
# A line: {name, points => [[X, Y], ...], dashes}; a line has the same colour in all charts of a drawing, by its place.
package Bench::Svg;
use v5.36;

use POSIX ();

use Bench::Number;
use Roster::Database;

my @COLOURS = ('#0072b2', '#d55e00', '#009e73', '#cc79a7', '#8c6d1f', '#56b4e9', '#e69f00', '#7b3fa0');
my @DASHES = ('1 3', '7 3', '3 3', '9 3 2 3', '14 3');

# Sizes in pixels: a chart's place, its margins, a line of the legend.
my ($WIDTH, $HEIGHT, $LEFT, $TOP, $BELOW, $LINE) = (400, 420, 64, 56, 52, 20);

# Writes the charts side by side, with one legend.
sub draw ($file, $title, @charts) {
    my @lines = @{$charts[0]{lines}};
    style(@lines);
    for my $chart (@charts[1 .. $#charts]) {
        @{$chart->{lines}[$_]}{qw(colour dash)} = @{$lines[$_]}{qw(colour dash)} for 0 .. $#lines;
    }
    my $width = $WIDTH * @charts + 280;
    my $height = $HEIGHT > $TOP + $LINE * @lines + 20 ? $HEIGHT : $TOP + $LINE * @lines + 20;
    my @parts = map { chart($charts[$_], $_ * $WIDTH) } 0 .. $#charts;
    my $head = text($LEFT, 22, $title, 'font-weight="bold" font-size="15"');
    Roster::Database::write_file(
        $file,
        join "\n",
        qq{<svg xmlns="http://www.w3.org/2000/svg" width="$width" height="$height" viewBox="0 0 $width $height"}
            . ' font-family="sans-serif" font-size="12">',
        qq{<rect width="$width" height="$height" fill="white"/>},
        $head,
        @parts,
        legend($WIDTH * @charts + 20, @lines),
        "</svg>\n");
    return;
}

# Dashed lines are grey, each with dashes of its own; the others have a colour each.
sub style (@lines) {
    my ($dashed, $solid) = (0, 0);
    for my $line (@lines) {
        $line->{colour} = $line->{dashes} ? '#555' : $COLOURS[$solid++ % @COLOURS];
        $line->{dash} = $line->{dashes} ? qq{ stroke-dasharray="$DASHES[$dashed++ % @DASHES]"} : '';
    }
    return;
}

sub escape ($text) {
    my %entity = ('<' => '&lt;', '>' => '&gt;', '&' => '&amp;', '"' => '&quot;');
    utf8::encode($text) if utf8::is_utf8($text);
    return $text =~ s/([<>&"])/$entity{$1}/gr;
}

sub text ($x, $y, $text, $attributes = '') {
    return sprintf '<text x="%.1f" y="%.1f" %s>%s</text>', $x, $y, $attributes, escape($text);
}

# From values to places.
sub scale ($axis, $from, $to) {
    my $measure = $axis->{is_linear} ? sub ($value) { $value } : sub ($value) { log $value };
    my ($least, $most) = map { $measure->($_->[0]) } @{$axis->{ticks}}[0, -1];
    return sub ($value) { $from + ($measure->($value) - $least) / ($most - $least) * ($to - $from) };
}

sub chart ($chart, $offset) {
    my ($left, $right, $top, $bottom) = ($offset + $LEFT, $offset + $WIDTH - 16, $TOP, $HEIGHT - $BELOW);
    my $x = scale($chart->{x}, $left, $right);
    my $y = scale($chart->{y}, $bottom, $top);
    my @parts = (
        text($left, $top - 10, $chart->{title}),
        text(($left + $right) / 2, $bottom + 38, $chart->{x}{label}, 'text-anchor="middle"'),
        text(
            $offset + 14,
            ($top + $bottom) / 2,
            $chart->{y}{label},
            sprintf 'text-anchor="middle" transform="rotate(-90 %d %d)"',
            $offset + 14,
            ($top + $bottom) / 2
        ));
    for my $tick (@{$chart->{x}{ticks}}) {
        my $at = $x->($tick->[0]);
        push @parts, grid($at, $top, $at, $bottom), text($at, $bottom + 18, $tick->[1], 'text-anchor="middle"');
    }
    for my $tick (@{$chart->{y}{ticks}}) {
        my $at = $y->($tick->[0]);
        push @parts, grid($left, $at, $right, $at), text($left - 6, $at + 4, $tick->[1], 'text-anchor="end"');
    }
    return @parts, map { line($_, $x, $y) } @{$chart->{lines}};
}

sub grid (@ends) { return sprintf '<path d="M%.1f %.1fL%.1f %.1f" stroke="#ddd"/>', @ends }

sub line ($line, $x, $y) {
    my $path = join 'L', map { sprintf '%.1f %.1f', $x->($_->[0]), $y->($_->[1]) } @{$line->{points}};
    return qq{<path d="M$path" fill="none" stroke="$line->{colour}" stroke-width="1.8"$line->{dash}>}
        . "<title>@{[escape($line->{name})]}</title></path>";
}

sub legend ($left, @lines) {
    my $y = $TOP;
    return map {
        $y += $LINE;
        my $sample = sprintf '<path d="M%d %dh28" stroke="%s" stroke-width="2"%s/>', $left, $y - 4,
            @{$_}{qw(colour dash)};
        ($sample, text($left + 36, $y, $_->{name}))
    } @lines;
}

# The powers of ten around the values, as ticks; the texts are without an exponent.
sub decades (@values) {
    my ($least, $most) = (sort { $a <=> $b } grep { $_ > 0 } @values)[0, -1];
    my $first = POSIX::floor(log($least) / log(10) + 1e-9);
    my $last = POSIX::ceil(log($most) / log(10) - 1e-9);
    $last++ if $last == $first;
    return [
        map {
            my $power = $_;
            [10**$power, $power < 0 ? sprintf('%.*f', -$power, 10**$power) : Bench::Number::commas(10**$power)]
        } $first .. $last
    ];
}

1;
