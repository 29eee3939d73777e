-- Tickets that several codes of one promotional code cover count once against its limits.
ALTER TABLE redemptions DROP CONSTRAINT redemptions_tickets_check;
ALTER TABLE redemptions ADD CONSTRAINT redemptions_tickets_check CHECK (tickets >= 0);

-- Who has ordered before: here, which ends with a cancelled order, or elsewhere, which nothing here ends.
ALTER TABLE contacts ADD COLUMN ordered_elsewhere BOOLEAN DEFAULT false NOT NULL;
UPDATE contacts c SET ordered_elsewhere = true WHERE has_ordered AND NOT EXISTS (
    SELECT FROM orders o WHERE o.organisation_id = c.organisation_id AND o.contact_id = c.id);
UPDATE contacts c SET has_ordered = false WHERE has_ordered AND NOT ordered_elsewhere AND NOT EXISTS (
    SELECT FROM orders o WHERE o.organisation_id = c.organisation_id AND o.contact_id = c.id AND o.state = 'CONFIRMED');
