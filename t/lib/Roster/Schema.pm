# Roster::Schema: the tables of sql/*.sql, read from the text of the migrations.
package Roster::Schema;
use v5.36;

use Roster::Tables;

# What a text holds without its comments.
sub without_comments ($text) { return $text =~ s/^\s*--.*$//mgr }

# The parts of a list that commas separate, but for those inside parentheses and quotes.
sub parts ($list) {
    my ($depth, @parts) = (0, '');
    for my $piece ($list =~ /('(?:[^'])*'|[(),]|[^'(),]+)/g) {
        $depth++ if $piece eq '(';
        $depth-- if $piece eq ')';
        if ($piece eq ',' && $depth == 0) { push @parts, '' }
        else { $parts[-1] .= $piece }
    }
    return map { s/^\s+|\s+$//gr } @parts;
}

sub add_part ($table, $part) {
    $part =~ s/^ADD (?:COLUMN )?//;
    $part =~ s/\bIF NOT EXISTS //;
    if ($part =~ /^(?:UNIQUE )?KEY `(\w+)` \((.*)\)$/s) {
        $table->{keys}{$1} = [map { /^`(\w+)`/ ? $1 : die "$part\n" } parts($2)];
    }
    elsif ($part =~ /^DROP KEY IF EXISTS `(\w+)`$/) {
        delete $table->{keys}{$1};
    }
    elsif ($part =~ /^`(\w+)` (.*)$/s) {
        my ($name, $type) = ($1, $2);
        $table->{columns}{$name} = {type => $type, is_nullable => $type !~ /\bNOT NULL\b/};
    }
    elsif ($part !~ /^(?:PRIMARY KEY|CONSTRAINT|ALTER COLUMN `\w+` SET DEFAULT) /) {
        die "this is neither a column nor a key: $part\n";
    }
    return;
}

# The tables by name: {columns => {NAME => {type, is_nullable}}, keys => {NAME => [COLUMN, ...]}}, without primary keys.
sub tables () {
    my %tables;
    for my $path (sort glob "$Roster::Tables::source/sql/*.sql") {
        for my $statement (split /;\s*$/m, without_comments(Roster::Tables::slurp($path))) {
            if ($statement =~ /^\s*CREATE TABLE IF NOT EXISTS `(\w+)` \((.*)\) ENGINE=/s) {
                my ($name, $list) = ($1, $2);
                add_part($tables{$name} //= {}, $_) for parts($list);
            }
            elsif ($statement =~ /^\s*ALTER TABLE `(\w+)`\s+(.*)$/s) {
                my ($name, $list) = ($1, $2);
                add_part($tables{$name}, $_) for parts($list);
            }
            elsif ($statement =~ /\S/) {
                die "$path: what is this? $statement\n";
            }
        }
    }
    return \%tables;
}

1;
