-- Tickets that several codes of one promotional code cover count once against its limits.
ALTER TABLE redemptions DROP CONSTRAINT redemptions_tickets_check;
ALTER TABLE redemptions ADD CONSTRAINT redemptions_tickets_check CHECK (tickets >= 0);
